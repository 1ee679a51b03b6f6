"""The kinds of objects that are read and written, and where the API server keeps them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object.

    Attributes
    ----------
    group, version
        API group (empty for the core group) and version.
    kind, plural
        Name of the kind, and of its collection in paths.
    namespaced
        Whether its objects live in namespaces.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As `apiVersion` names it: ``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, *more: str) -> str:
        """The path of its collection, or of one object and a subresource of it.

        A namespaced kind without `namespace` is meant in all of them.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts += [self.plural, *([name] if name is not None else []), *more]
        return "/" + "/".join(parts)


FLAVOR = Kind("nodecore.fluidos.eu", "v1alpha1", "Flavor", "flavors")
SOLVER = Kind("nodecore.fluidos.eu", "v1alpha1", "Solver", "solvers")
ALLOCATION = Kind("nodecore.fluidos.eu", "v1alpha1", "Allocation", "allocations")
DISCOVERY = Kind("advertisement.fluidos.eu", "v1alpha1", "Discovery", "discoveries")
PEERING_CANDIDATE = Kind("advertisement.fluidos.eu", "v1alpha1", "PeeringCandidate", "peeringcandidates")
RESERVATION = Kind("reservation.fluidos.eu", "v1alpha1", "Reservation", "reservations")
CONTRACT = Kind("reservation.fluidos.eu", "v1alpha1", "Contract", "contracts")
TRANSACTION = Kind("reservation.fluidos.eu", "v1alpha1", "Transaction", "transactions")
KNOWN_CLUSTER = Kind("network.fluidos.eu", "v1alpha1", "KnownCluster", "knownclusters")

NAMESPACE_OFFLOADING = Kind("offloading.liqo.io", "v1beta1", "NamespaceOffloading", "namespaceoffloadings")
VIRTUAL_NODE = Kind("offloading.liqo.io", "v1beta1", "VirtualNode", "virtualnodes")
RESOURCE_SLICE = Kind("authentication.liqo.io", "v1beta1", "ResourceSlice", "resourceslices")
FOREIGN_CLUSTER = Kind("core.liqo.io", "v1beta1", "ForeignCluster", "foreignclusters", namespaced=False)

NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
POD = Kind("", "v1", "Pod", "pods")
SECRET = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
SERVICE = Kind("", "v1", "Service", "services")
SERVICE_ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts")
VOLUME_CLAIM = Kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
JOB = Kind("batch", "v1", "Job", "jobs")
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
AUTOSCALER = Kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
ROLE = Kind("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
ACCESS_REVIEW = Kind(
    "authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)
DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

FLUIDOS = (
    FLAVOR,
    SOLVER,
    ALLOCATION,
    DISCOVERY,
    PEERING_CANDIDATE,
    RESERVATION,
    CONTRACT,
    TRANSACTION,
    KNOWN_CLUSTER,
)
LIQO = (NAMESPACE_OFFLOADING, VIRTUAL_NODE, RESOURCE_SLICE, FOREIGN_CLUSTER)
WORKLOAD = (
    SECRET,
    CONFIG_MAP,
    SERVICE,
    SERVICE_ACCOUNT,
    VOLUME_CLAIM,
    DEPLOYMENT,
    JOB,
    INGRESS,
    NETWORK_POLICY,
    AUTOSCALER,
)
BY_NAME = {kind.kind: kind for kind in (*FLUIDOS, *LIQO, *WORKLOAD, NAMESPACE, NODE, POD)}
