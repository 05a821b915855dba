#!/usr/bin/python
# TEMPORARY STUB of the lead, so that the roles can be tried: overwrite it.
from __future__ import annotations
DOCUMENTATION = "module: slurm_conf\nshort_description: stub\n"
import os, shutil, time
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._conf import Conf

def main():
    m = AnsibleModule({"path": {}, "kind": {}, "lists": {"type": "dict", "default": {}}, "options": {"type": "dict", "default": {}}, "settings": {"type": "dict", "default": {}}, "backup": {"type": "bool"}}, supports_check_mode=True)
    c = Conf.load(m.params["path"], kind=m.params["kind"])
    for k, e in m.params["lists"].items():
        c.edit_list(k, present=e.get("present", ()), absent=e.get("absent", ()))
    for k, e in m.params["options"].items():
        c.edit_options(k, present={n: (None if v is True else v) for n, v in e.get("present", {}).items()}, absent=e.get("absent", ()))
    ch = c.changed()
    backups = {}
    if not m.check_mode:
        for p, data in ch.items():
            st = os.stat(p)
            b = "%s.%d~" % (p, time.time())
            shutil.copy2(p, b); os.chown(b, st.st_uid, st.st_gid); backups[p] = b
            with open(p + ".t", "wb") as f: f.write(data)
            os.chmod(p + ".t", st.st_mode & 0o7777); os.chown(p + ".t", st.st_uid, st.st_gid); os.rename(p + ".t", p)
    m.exit_json(changed=bool(ch), backup_files=backups, path=m.params["path"])

main()
