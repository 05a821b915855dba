# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the parameters of slurm.conf and slurmdbd.conf. Private to this collection.

The lists have every name that at least one release from 20.11 to 26.05 accepts. An unknown name stops every daemon and
client command that reads the file, so a misspelt name must be found before it is written.
"""

from __future__ import annotations

from typing import NamedTuple

_SLURM = """
    AccountingStorageBackupHost AccountingStorageEnforce AccountingStorageExternalHost AccountingStorageHost
    AccountingStorageLoc AccountingStorageParameters AccountingStoragePass AccountingStoragePort
    AccountingStorageTRES AccountingStorageType AccountingStorageUser AccountingStoreFlags
    AccountingStoreJobComment AcctGatherEnergyType AcctGatherFilesystemType AcctGatherInfinibandType
    AcctGatherInterconnectType AcctGatherNodeFreq AcctGatherProfileType AllowSpecResourcesUsage
    AuthAltParameters AuthAltTypes AuthInfo AuthType BackupAddr BackupController BatchStartTimeout BcastExclude
    BcastParameters BurstBufferParameters BurstBufferType CacheGroups CertgenParameters CertgenType
    CertmgrParameters CertmgrType CheckpointType CliFilterParameters CliFilterPlugins ClusterName
    CommunicationParameters CompleteWait ControlAddr ControlMachine CoreSpecPlugin CpuFreqDef CpuFreqGovernors
    CredType CryptoType DataParserParameters DebugFlags DefaultStorageHost DefaultStorageLoc DefaultStoragePass
    DefaultStoragePort DefaultStorageType DefaultStorageUser DefCPUPerGPU DefMemPerCPU DefMemPerGPU
    DefMemPerNode DependencyParameters DisableRootJobs DownNodes EioTimeout EnforcePartLimits Epilog
    EpilogMsgTime EpilogSlurmctld EpilogTimeout ExtSensorsFreq ExtSensorsType FairShareDampeningFactor
    FastSchedule FederationParameters FirstJobId FrontendName GetEnvTimeout GpuFreqDef GresTypes
    GroupUpdateForce GroupUpdateTime HashPlugin HealthCheckInterval HealthCheckNodeState HealthCheckProgram
    HealthCheckTimeout HttpParserType InactiveLimit InteractiveStepOptions JobAcctGatherFrequency
    JobAcctGatherParams JobAcctGatherType JobCheckpointDir JobCompHost JobCompLoc JobCompParams JobCompPass
    JobCompPassScript JobCompPort JobCompType JobCompUser JobContainerType JobCredentialPrivateKey
    JobCredentialPublicCertificate JobFileAppend JobRequeue JobSubmitPlugins KeepAliveTime KillOnBadExit
    KillWait LaunchParameters LaunchType LicenseParameters Licenses LogTimeFormat MailDomain MailProg
    MaxArraySize MaxBatchRequeue MaxDBDMsgs MaxJobCount MaxJobId MaxMemPerCPU MaxMemPerNode MaxNodeCount
    MaxStepCount MaxTasksPerNode MCSParameters MCSPlugin MemLimitEnforce MessageTimeout MetricsAuthUsers
    MetricsParameters MetricsType MinJobAge MpiDefault MpiParams NamespaceType NodeFeaturesPlugins NodeName
    NodeSet OverTimeLimit PartitionName PluginDir PlugStackConfig PowerAction PowerParameters PowerPlugin
    PreemptExemptTime PreemptMode PreemptParameters PreemptType PrEpParameters PrEpPlugins PriorityCalcPeriod
    PriorityDecayHalfLife PriorityFavorSmall PriorityFlags PriorityMaxAge PriorityParameters
    PrioritySiteFactorParameters PrioritySiteFactorPlugin PriorityType PriorityUsageResetPeriod
    PriorityWeightAge PriorityWeightAssoc PriorityWeightFairshare PriorityWeightJobSize PriorityWeightPartition
    PriorityWeightQOS PriorityWeightTRES PrivateData ProctrackType Prolog PrologEpilogTimeout PrologFlags
    PrologSlurmctld PrologTimeout PropagatePrioProcess PropagateResourceLimits PropagateResourceLimitsExcept
    RebootProgram ReconfigFlags RequeueExit RequeueExitHold ResumeFailProgram ResumeProgram ResumeRate
    ResumeTimeout ResvEpilog ResvOverRun ResvProlog ReturnToService RoutePlugin SallocDefaultCommand
    SbcastParameters SchedulerAuth SchedulerParameters SchedulerPort SchedulerRootFilter SchedulerTimeSlice
    SchedulerType ScronParameters SelectType SelectTypeParameters SlurmctldAddr SlurmctldDebug SlurmctldHost
    SlurmctldHttpAuthParameters SlurmctldLogFile SlurmctldParameters SlurmctldPidFile SlurmctldPlugstack
    SlurmctldPort SlurmctldPrimaryOffProg SlurmctldPrimaryOnProg SlurmctldSyslogDebug SlurmctldTimeout
    SlurmdDebug SlurmdHttpAuthParameters SlurmdLogFile SlurmdParameters SlurmdPidFile SlurmdPort SlurmdSpoolDir
    SlurmdSyslogDebug SlurmdTimeout SlurmdUser SlurmSchedLogFile SlurmSchedLogLevel SlurmUser SrunEpilog
    SrunPortRange SrunProlog StateSaveLocation SuspendExcNodes SuspendExcParts SuspendExcStates SuspendProgram
    SuspendRate SuspendTime SuspendTimeout SwitchParameters SwitchType TaskEpilog TaskPlugin TaskPluginParam
    TaskProlog TCPTimeout TLSParameters TLSType TmpFS TopologyParam TopologyPlugin TrackWCKey TreeWidth
    UnkillableStepProgram UnkillableStepTimeout UrlParserType UsePAM VSizeFactor WaitTime X11Parameters
"""

_SLURMDBD = """
    AllowNoDefAcct AllResourcesAbsolute ArchiveDir ArchiveEvents ArchiveJobEnv ArchiveJobs ArchiveJobScript
    ArchiveResvs ArchiveScript ArchiveSteps ArchiveSuspend ArchiveTXN ArchiveUsage AuthAltParameters
    AuthAltTypes AuthInfo AuthType CommitDelay CommunicationParameters DbdAddr DbdBackupHost DbdHost DbdPort
    DebugFlags DebugLevel DebugLevelSyslog DefaultQOS DisableArchiveCommands DisableCoordDBD DisableRollups
    HashPlugin JobPurge LogFile LogTimeFormat MaxPurgeLimit MaxQueryTimeRange MessageTimeout Parameters PidFile
    PluginDir PrivateData PurgeEventAfter PurgeEventMonths PurgeJobAfter PurgeJobEnvAfter PurgeJobMonths
    PurgeJobScriptAfter PurgeResvAfter PurgeStepAfter PurgeStepMonths PurgeSuspendAfter PurgeSuspendMonths
    PurgeTXNAfter PurgeTXNMonths PurgeUsageAfter PurgeUsageMonths SlurmUser StepPurge StorageBackupHost
    StorageHost StorageLoc StorageParameters StoragePass StoragePassScript StoragePort StorageType StorageUser
    TCPTimeout TLSParameters TLSType TrackSlurmctldDown TrackWCKey
"""

# A line of these keys has several name=value pairs: the first is the name, the others describe it.
LINE_KEYS = frozenset((b"downnodes", b"frontendname", b"nodename", b"nodeset", b"partitionname", b"poweraction"))

# Each line of these keys adds to the lines before it, so there is no single value.
REPEATED_KEYS = LINE_KEYS | {b"slurmctldhost"}

# In 24.05 and later each line of these keys adds a program. In older releases the last line is in force.
PROGRAM_KEYS = frozenset((b"epilog", b"epilogslurmctld", b"prolog", b"prologslurmctld"))

# Passwords: never shown, and never accepted as module options, as Ansible logs these.
SECRET_KEYS = frozenset((b"accountingstoragepass", b"defaultstoragepass", b"jobcomppass", b"storagepass"))

FLAG, PATH, TEXT, NUMBER = "flag", "path", "text", "number"


class AuthAltOption(NamedTuple):
    """A member of AuthAltParameters."""

    kind: str
    """FLAG, PATH, TEXT or NUMBER."""
    capability: str | None = None
    """A capability in _slurm/releases.py that the member needs to have an effect. None: every release has it."""
    is_found_anywhere: bool = False
    """Whether Slurm finds it anywhere in the value, even after a blank."""
    is_slurmctlds: bool = False
    """Whether it has no effect in slurmdbd.conf."""


# A role variable slurm_jwt_NAME declares each one except the paths. A rollout writes them in this order.
AUTH_ALT_OPTIONS = {
    "jwt_key": AuthAltOption(PATH),
    "jwks": AuthAltOption(PATH, "jwks"),
    "userclaimfield": AuthAltOption(TEXT, "userclaimfield"),
    "use_jwt_client_ids": AuthAltOption(FLAG, "client_ids", is_found_anywhere=True),
    "use_jwt_client_ids_only": AuthAltOption(FLAG, "client_ids", is_found_anywhere=True),
    "disable_token_creation": AuthAltOption(FLAG, is_found_anywhere=True, is_slurmctlds=True),
    "max_token_lifespan": AuthAltOption(NUMBER, "max_token_lifespan", is_found_anywhere=True, is_slurmctlds=True),
}


def _of_kind(*kinds: str) -> frozenset[str]:
    return frozenset(name for name, option in AUTH_ALT_OPTIONS.items() if option.kind in kinds)


OPTIONS_FOUND_ANYWHERE = frozenset(name for name, option in AUTH_ALT_OPTIONS.items() if option.is_found_anywhere)
PATH_OPTIONS = _of_kind(PATH)
NUMBER_OPTIONS = _of_kind(NUMBER)
VALUE_OPTIONS = _of_kind(PATH, TEXT, NUMBER)
FLAG_OPTIONS = _of_kind(FLAG)
KNOWN_OPTIONS = frozenset(AUTH_ALT_OPTIONS)

# Spellings that people use. Slurm accepts `jwt` in 23.11 and later, and never the name of slurmrestd's plugin.
JWT = "auth/jwt"
JWT_ALIASES = frozenset((JWT, "jwt"))
JWT_MEANT = JWT_ALIASES | {"rest_auth/jwt"}
# Characters that people copy with a value from a shell or a web page. For Slurm they are part of the name.
_AROUND = " \t\"'`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2039\u203a\u00ab\u00bb\u00a0"


def is_secret(key: str) -> bool:
    """Whether the value of a parameter is a password."""
    return key.lower().encode("utf-8", "replace") in SECRET_KEYS


def means_jwt(member: str) -> bool:
    """Whether a member of AuthAltTypes is meant to be auth/jwt, even if Slurm finds no such plugin."""
    return member.strip(_AROUND).lower() in JWT_MEANT


def names(kind: str) -> dict[str, str]:
    """Return the names that a file of this kind (slurm or slurmdbd) may set: lower case -> as Slurm writes it."""
    text = _SLURMDBD if kind == "slurmdbd" else _SLURM
    return {name.lower(): name for name in text.split()}
