# What jobs ask for: memory and time by the size of what they work on, from benchmarks of jobs that ran
# (workflow/sizing.yaml, which mlipkd fit-sizing writes). A dataset's size is known once it is made;
# until then Snakemake shows <TBD>.


from mlipkd.sizing import dynamics, work
from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.size import Size

SIZING = Sizing.read(Path(workflow.basedir) / "workflow/sizing.yaml")


def memory(of):
    """For mem_mb: what a job ``of`` this work takes, at each attempt so much more."""
    return lambda wildcards, input, attempt: SIZING.memory(of(wildcards, input)) * attempt


def minutes(of):
    """For runtime: the same."""
    return lambda wildcards, input, attempt: SIZING.minutes(of(wildcards, input)) * attempt


def one_gpu(wildcards):
    """For gpu: what runs a model asks for one; a calculator has its own ways."""
    return int(not campaign.datasets[wildcards.dataset].families[wildcards.family].calculator)


def making_dataset(wildcards, input):
    return work.dataset(campaign.datasets[wildcards.dataset].source, bytes_of(input.files))


def training(wildcards, input):
    return work.train(Size.read(input.dataset_size), members_by(input.settings))


def predicting(wildcards, input):
    size, hessians = Size.read(input.dataset_size), plan.labels_hessians(ModelPaths.of(wildcards))
    if not one_gpu(wildcards):
        return work.calculate(size.atoms, hessians * size.atoms / size.configurations)
    return work.predict(size, architecture(wildcards), hessians)


def merging(wildcards, input):
    return work.merge(Size.read(input.dataset_size), len(as_list(input.predictions)))


def comparing(wildcards, input):
    size, split = Size.read(input.dataset_size), campaign.datasets[wildcards.dataset].split
    hessians = campaign.datasets[wildcards.dataset].source.has_hessians
    if not one_gpu(wildcards):
        return work.calculate(work.tested(size, split), hessians * size.atoms / size.configurations)
    members = len(as_list(input.models))
    return work.errors(size, split, architecture(wildcards), members, hessians)


def comparing_comp6(wildcards, input):
    size, suites = Size.read(input.dataset_size), bytes_of(input.suites)
    if not one_gpu(wildcards):
        return work.calculate(suites / work.COMP6_ATOM)
    return work.comp6(size, suites, architecture(wildcards), len(as_list(input.models)))


def moving_liquid(wildcards, input):
    section = campaign.datasets[wildcards.dataset].evaluations.stability
    shape, members = architecture(wildcards), len(as_list(input.models))
    return dynamics.stability(Size.read(input.dataset_size), section, shape, members)


def sampling_liquid(wildcards, input):
    section = campaign.datasets[wildcards.dataset].evaluations.liquid
    return dynamics.liquid(Size.read(input.dataset_size), section, architecture(wildcards))


def sampling_replicas(wildcards, input):
    section = campaign.datasets[wildcards.dataset].evaluations.replicas
    shape, members = architecture(wildcards), len(as_list(input.models))
    return dynamics.replicas(Size.read(input.dataset_size), section, shape, members)


def counting_distances(wildcards, input):
    asked = campaign.datasets[wildcards.dataset].evaluations
    members = len(as_list(input.trajectories))
    return dynamics.rdf(Size.read(input.dataset_size), asked.liquid, asked.rdf, members)


def timing(wildcards, input):
    shapes = list(dict.fromkeys(member.architecture for member in members_by(input.models)))
    section = campaign.datasets[wildcards.dataset].evaluations.cost
    return dynamics.cost(Size.read(input.dataset_size), section, shapes)


def architecture(wildcards):
    """That of the model that a job is about."""
    return campaign.datasets[wildcards.dataset].architectures(wildcards.family)[wildcards.model]


def members_by(files):
    """The members whose files these are."""
    return [plan.members[paths.read(file)] for file in as_list(files)]


def as_list(files):
    return [files] if isinstance(files, str) else list(files)


def bytes_of(files):
    return sum(os.path.getsize(file) for file in as_list(files))
