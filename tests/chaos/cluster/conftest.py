"""What the integration tests have (fixtures, harness), for the tests of whole clusters. Run by `make chaos`."""

import importlib.util
import os
import sys

INTEGRATION = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "integration")
sys.path.insert(0, INTEGRATION)
spec = importlib.util.spec_from_file_location("integration_conftest", os.path.join(INTEGRATION, "conftest.py"))
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)
globals().update({name: value for name, value in vars(shared).items() if not name.startswith("__")})
