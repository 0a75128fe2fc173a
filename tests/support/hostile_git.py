"""A user whose git is set up to change everything: what is printed, what is run, what is written
without being asked for.
"""

from pathlib import Path

# Whatever of git's configuration changes output, runs a program, or writes what nobody asked for.
_CONFIG = """
[color]
    ui = always
    diff = always
    status = always
    branch = always
    advice = always
    push = always
    remote = always
    transport = always
[column]
    ui = always
[core]
    abbrev = 4
    attributesFile = {here}/attributes
    alternateRefsCommand = {here}/ran
    autocrlf = true
    bigFileThreshold = 1
    eol = crlf
    excludesFile = {here}/excludes
    fsmonitor = {here}/ran
    hooksPath = {here}/hooks
    pager = {here}/ran
    editor = {here}/ran
    quotePath = true
    safecrlf = true
    untrackedCache = true
    warnAmbiguousRefs = true
    commentChar = "R"
    logAllRefUpdates = always
[log]
    abbrevCommit = true
    date = relative
    decorate = full
    diffMerges = combined
    follow = true
    mailmap = true
    showRoot = false
    showSignature = true
[format]
    pretty = oneline
    useAutoBase = true
    signOff = true
[diff]
    algorithm = patience
    colorMoved = zebra
    context = 9
    dirstat = lines
    external = {here}/ran
    ignoreSubmodules = all
    indentHeuristic = false
    interHunkContext = 50
    mnemonicPrefix = true
    noprefix = true
    orderFile = {here}/excludes
    relative = true
    renames = copies
    srcPrefix = one/
    dstPrefix = two/
    submodule = log
    suppressBlankEmpty = true
    wsErrorHighlight = all
    wordRegex = .
[diff "odd"]
    textconv = {here}/ran
    command = {here}/ran
    binary = true
[filter "odd"]
    clean = {here}/ran
    smudge = {here}/ran
    required = true
[status]
    branch = true
    relativePaths = true
    short = true
    showStash = true
    showUntrackedFiles = no
    submoduleSummary = true
[i18n]
    commitEncoding = ISO-8859-1
    logOutputEncoding = UTF-16
[init]
    defaultBranch = trunk
    defaultObjectFormat = sha256
    defaultRefFormat = reftable
    templateDir = {here}/template
[safe]
    bareRepository = explicit
[commit]
    gpgSign = true
    cleanup = strip
    verbose = true
    template = {here}/excludes
[tag]
    gpgSign = true
    forceSignAnnotated = true
[user]
    useConfigOnly = true
    signingKey = nobody
[author]
    name = Mallory
    email = mallory@example.com
[committer]
    name = Mallory
    email = mallory@example.com
[gc]
    auto = 1
[maintenance]
    auto = true
[fetch]
    all = true
    fsckObjects = true
    negotiationAlgorithm = noop
    output = compact
    prune = true
    pruneTags = true
    recurseSubmodules = true
    writeCommitGraph = true
[push]
    autoSetupRemote = true
    default = matching
    followTags = true
    gpgSign = true
    negotiate = true
    pushOption = odd
    recurseSubmodules = check
    useForceIfIncludes = true
[remote]
    pushDefault = nowhere
[clone]
    defaultRemoteName = elsewhere
    rejectShallow = true
[submodule]
    recurse = true
[transfer]
    advertiseSID = true
    bundleURI = true
    credentialsInUrl = die
    fsckObjects = true
    hideRefs = refs
    unpackLimit = 1
[receive]
    advertiseAtomic = false
    advertisePushOptions = true
    autogc = true
    certNonceSeed = x
    denyCurrentBranch = refuse
    denyDeletes = true
    denyNonFastForwards = true
    fsckObjects = true
    hideRefs = refs
    keepAlive = 1
    maxInputSize = 1
    procReceiveRefs = refs
    shallowUpdate = false
    unpackLimit = 1
[uploadpack]
    allowAnySHA1InWant = false
    allowFilter = false
    allowRefInWant = false
    hideRefs = refs
    keepAlive = 1
    packObjectsHook = {here}/ran
[uploadpackfilter]
    allow = false
[pack]
    packSizeLimit = 1
    threads = 1
    windowMemory = 1
[pull]
    rebase = true
[rebase]
    autoStash = true
[merge]
    renames = false
[notes]
    displayRef = *
[trailer]
    separators = "%"
[protocol]
    allow = always
[protocol "ext"]
    allow = always
[trace2]
    normalTarget = {here}/traced
    perfTarget = {here}/traced
    eventTarget = {here}/traced
[alias]
    log = !{here}/ran
    push = !{here}/ran
"""


_HOOKS = (
    *("pre-commit", "commit-msg", "post-commit", "pre-push", "reference-transaction"),
    *("pre-receive", "update", "post-receive", "post-update", "post-checkout"),
)


def user(here: Path, gitconfig: Path) -> Path:
    """Write the configuration, and the programs that it names into the new folder `here`.

    A program of it that ran has its name in `here / "programs"`.
    """
    for folder in ("hooks", "template/hooks"):
        (here / folder).mkdir(parents=True)
        for name in _HOOKS:
            _program(here / folder / name, here)
    _program(here / "ran", here)
    (here / "attributes").write_text("* filter=odd diff=odd text eol=crlf ident\n")
    (here / "excludes").write_text("*\n")
    gitconfig.write_text(_CONFIG.format(here=here))
    return here


def _program(path: Path, here: Path) -> None:
    path.write_text(f"#!/bin/sh\necho $0 >> '{here}/programs'\nexit 1\n")
    path.chmod(0o755)
