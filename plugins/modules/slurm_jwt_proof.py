#!/usr/bin/python
# TEMPORARY STUB of the lead, so that the roles can be tried: overwrite it.
from __future__ import annotations
DOCUMENTATION = "module: slurm_jwt_proof\nshort_description: stub\n"
from ansible.module_utils.basic import AnsibleModule

def main():
    m = AnsibleModule({"key_path": {}, "user": {}, "conf_path": {}, "bin_dirs": {"type": "list"}, "daemons": {"type": "list"}, "return_tokens": {"type": "bool"}, "tokens": {"type": "dict"}, "rest_url": {}}, supports_check_mode=True)
    m.exit_json(changed=False, proven=True, answers=[], tokens={}, user="nobody")

main()
