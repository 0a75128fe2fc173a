"""Real controllers, real pods, real traffic: what the tests on Kubernetes share."""

from support.cluster.fixtures import api_server, programs

__all__ = ["api_server", "programs"]
