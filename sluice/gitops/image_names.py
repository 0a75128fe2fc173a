"""Names that Sluice gives to images and to the annotations on them, each written here alone."""

# The host of images that are kept in a folder of this machine, and of the entry in every manifest
# repo: kustomize replaces it with the real registry.
LOCAL_HOST = "sluice.local"
# What every annotation and label of ours begins with.
ANNOTATION = "dev.sluice."


def local_image(model: str) -> str:
    """The name under which the manifests of a model know its image."""
    return f"{LOCAL_HOST}/{model}"


def annotation(name: str) -> str:
    """The key of an annotation or label: `dev.sluice.<name>`."""
    return f"{ANNOTATION}{name}"
