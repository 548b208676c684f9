"""The plan of a campaign: what is trained on what, which evaluations run, and what is made of them.

Rules of the workflow look up here what their jobs read and make. Datasets, models and members stand
for themselves by their paths, in the order of the campaign.
"""

from functools import cached_property
from pathlib import Path

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.sections import DatasetSection, Family
from mlipkd.campaign.settings import (
    calculator_settings,
    dataset_settings,
    evaluation_settings,
    own_settings,
    simulation_settings,
    train_settings,
)
from mlipkd.config.settings import CalculatorSettings, Settings, TrainSettings
from mlipkd.evaluation import EVALUATIONS
from mlipkd.imports import module_file
from mlipkd.paths import DatasetPaths, MemberPaths, ModelPaths, SimulationPaths


class Plan:
    """What follows from a campaign before anything runs."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.datasets = [DatasetPaths(dataset) for dataset in campaign.datasets]
        self.models = [
            ModelPaths(dataset, family, model)
            for dataset, section in campaign.datasets.items()
            for family in section.families
            for model in section.models(family)
        ]
        self.trained = [model for model in self.models if self.family(model).recipe]
        #: Those that are trained on another dataset.
        self.transferred = [model for model in self.models if self.family(model).transferred_from]
        #: All that have model files, which calculators have not.
        self.potentials = self.trained + self.transferred
        #: Those whose members train in one job.
        self.together = [model for model in self.trained if self.family(model).together]

    def section(self, of: DatasetPaths | ModelPaths) -> DatasetSection:
        """What the campaign says of a dataset."""
        return self.campaign.datasets[of.dataset]

    def family(self, model: ModelPaths) -> Family:
        """What the campaign says of the family of a model."""
        return self.section(model).families[model.family]

    # Members

    def members_of(self, model: ModelPaths) -> list[MemberPaths]:
        """The members of a model, by their seeds."""
        return [model.member(seed) for seed in self.section(model).seeds(model.family)]

    @cached_property
    def members(self) -> dict[MemberPaths, TrainSettings]:
        """All members that are trained, and how."""
        return {
            model.member(seed): train_settings(
                self.campaign, model.dataset, model.family, model.model, seed
            )
            for model in self.trained
            for seed in self.section(model).seeds(model.family)
        }

    @cached_property
    def calculators(self) -> dict[MemberPaths, CalculatorSettings]:
        """All calculators in place of trained families."""
        return {
            member: calculator_settings(self.campaign, model.dataset, model.family)
            for model in self.models
            if model not in self.potentials
            for member in self.members_of(model)
        }

    def model_file(self, member: MemberPaths) -> str:
        """What verbs read a member from: its model file, or the settings of its calculator."""
        return member.settings if self.family(member).calculator else member.weights

    # Who teaches whom

    def teacher_of(self, model: ModelPaths) -> ModelPaths | None:
        """The model whose labels another one learns from."""
        teacher = self.section(model).teacher_of(model.family, model.model)
        return ModelPaths(model.dataset, *teacher) if teacher else None

    def training_data(self, model: ModelPaths) -> str:
        """What a model, or one member, trains on: the dataset, or the same with teachers' labels.

        Where each seed learns from the teacher of the same seed, this differs between members.
        """
        teacher = self.teacher_of(model)
        if teacher is None:
            return DatasetPaths(model.dataset).data
        if isinstance(model, MemberPaths) and self.family(model).supervision == "single":
            return teacher.member(model.seed).data
        return teacher.data

    def original(self, model: ModelPaths) -> ModelPaths:
        """The model of another dataset that a transferred one is."""
        origin = self.family(model).transferred_from
        assert origin is not None  # it is transferred
        return ModelPaths(origin.dataset, origin.family, model.model)

    def labels_hessians(self, model: ModelPaths) -> bool:
        """Whether a model's labels hold Hessians, because another family learns from them."""
        return any(
            family.learns_from == model.family
            and family.recipe is not None
            and self.campaign.recipes[family.recipe].needs_teachers_hessians
            for family in self.section(model).families.values()
        )

    @cached_property
    def manifests(self) -> list[str]:
        """For each model whose members teach together, the file that says which of them do."""
        teachers = [
            self.teacher_of(model)
            for model in self.models
            if self.family(model).supervision == "ensemble"
        ]
        return [teacher.manifest for teacher in dict.fromkeys(teachers) if teacher]

    def compared(self, dataset: str) -> set[str]:
        """The architectures that are trained with a teacher and without one."""
        models = [model for model in self.trained if model.dataset == dataset]
        taught = {model.model for model in models if self.family(model).learns_from}
        return taught & {model.model for model in models if not self.family(model).learns_from}

    # Evaluations

    @cached_property
    def rows(self) -> dict[str, list[str]]:
        """The files of rows that each table is made of."""
        return {name: e.rows(self) for name, e in EVALUATIONS.items() if e.table}

    def figures(self, dataset: DatasetPaths) -> dict[str, list[str]]:
        """The figures of a dataset, and the files that each is drawn from."""
        drawn = (evaluation.drawn(self, dataset) for evaluation in EVALUATIONS.values())
        return {figure: files for figures in drawn for figure, files in figures.items()}

    @cached_property
    def drawn(self) -> list[str]:
        """All figures."""
        return [d.figure(figure) for d in self.datasets for figure in self.figures(d)]

    # Settings and modules, which jobs read in addition to results

    @cached_property
    def settings(self) -> dict[str, Settings]:
        """The part of the campaign that concerns each job, by the path that the job reads."""
        campaign = self.campaign
        settings: dict[str, Settings] = {
            SimulationPaths(simulation).settings: simulation_settings(campaign, simulation)
            for simulation in campaign.simulations
        }
        for dataset in self.datasets:
            name, evaluations = dataset.dataset, self.section(dataset).evaluations
            settings[dataset.settings] = dataset_settings(campaign, name)
            for evaluation in type(evaluations).model_fields.keys() - {"own"}:
                if getattr(evaluations, evaluation):
                    path = dataset.settings_of(evaluation)
                    settings[path] = evaluation_settings(campaign, name, evaluation)
            for own in evaluations.own:
                path = dataset.settings_of(f"own.{own}")
                settings[path] = own_settings(campaign, name, own)
        for member, section in (self.members | self.calculators).items():
            settings[member.settings] = section
        return settings

    def modules(self, campaign: str) -> dict[str, Path]:
        """The files of the user's own functions, by the settings of the job that runs them.

        Args:
            campaign: the file that names them, for messages.

        Raises:
            InputError: there is no such module.
        """
        files = {}
        for dataset in self.datasets:
            section, key = self.section(dataset), f"{campaign}: datasets.{dataset.dataset}"
            if function := section.source.user_function:
                files[dataset.settings] = module_file(f"{key}.source.function", function)
            for name, own in section.evaluations.own.items():
                where = f"{key}.evaluations.own.{name}.function"
                files[dataset.settings_of(f"own.{name}")] = module_file(where, own.function)
        return files
