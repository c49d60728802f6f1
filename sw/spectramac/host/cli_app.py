# SPDX-FileCopyrightText: 2026 The spectramac authors
# SPDX-License-Identifier: BSD-2-Clause
"""The commands of ``spectramac``. What is heavy is imported by the command that needs it."""

import functools
import sys
from collections.abc import Callable
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import typer.core

from spectramac.host.extras import import_extra
from spectramac.host.settings import configured
from spectramac.spec.config import PRESETS, AcceleratorConfig, preset
from spectramac.spec.errors import MismatchError, SpectramacError

__all__ = [
    "SMALL",
    "VERILOG",
    "ChosenPreset",
    "PresetName",
    "PresetOption",
    "VerilogFolder",
    "app",
    "command",
    "gateware",
    "preset_for",
    "verilog_app",
]

app = typer.Typer(
    name="spectramac",
    help="Run neural networks whose weights are compressed in the frequency domain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class _AcceleratorByDefault(typer.core.TyperGroup):
    """``verilog`` without a command, or with options first, is ``verilog accelerator``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["accelerator", *args]
        return super().parse_args(ctx, args)


verilog_app = typer.Typer(
    cls=_AcceleratorByDefault,
    help="Write Verilog: of an accelerator (the default) or of an FFT alone (needs extra 'hdl').",
    rich_markup_mode=None,
)
app.add_typer(verilog_app, name="verilog")

PresetName = Enum("PresetName", {name: name for name in PRESETS}, type=str)  # type: ignore[misc]


class TransportName(StrEnum):
    """What runs the model."""

    model = "model"
    sim = "sim"


class Technology(StrEnum):
    """What the Verilog is written for."""

    generic = "generic"
    ice40 = "ice40"


PresetOption = Annotated[PresetName, typer.Option("--preset", help="Accelerator configuration.")]
ChosenPreset = Annotated[
    PresetName | None,
    typer.Option(
        "--preset",
        help="Accelerator configuration. Default: small, for a convolutional network conv.",
        show_default=False,
    ),
]
NetworkFile = typer.Argument(help="A network file.", exists=True, dir_okay=False)
ModelFile = typer.Argument(help="An image or a network file.", exists=True, dir_okay=False)
VerilogFolder = Annotated[Path, typer.Option(help="Folder to write to.")]
SMALL = PresetName("small")
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a parameter of the preset: NAME=VALUE. May be repeated."),
]
VERILOG = Path("build/verilog")


def preset_for(name: PresetName | None, graph: object) -> AcceleratorConfig:
    """The configuration that is asked for, or suits a model: ``graph`` is None for chains of dense layers."""
    default = SMALL if graph is None else PresetName("conv")
    return preset((name or default).value)


Command = TypeVar("Command", bound=Callable[..., None])


def command(name: str, *, of: typer.Typer = app) -> Callable[[Command], Command]:
    """Register a command whose known errors become one line on stderr and exit status 1."""

    def register(function: Command) -> Command:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (SpectramacError, ValueError, TypeError, OSError, ImportError) as error:
                print(f"error: {error}", file=sys.stderr)
                raise typer.Exit(1) from None
            except RuntimeError as error:
                # Tool errors of spectramac.sim, which is imported on demand only.
                if not type(error).__module__.startswith("spectramac."):
                    raise
                print(f"error: {error}", file=sys.stderr)
                raise typer.Exit(1) from None

        of.command(name)(guarded)
        return function

    return register


@command("info")
def info(
    file: Annotated[
        Path | None, typer.Argument(help="An image or a network.", exists=True, dir_okay=False)
    ] = None,
    preset_name: PresetOption = SMALL,
) -> None:
    """Describe the configurations and tools, or an image or network file."""
    from spectramac.host import cli_files, cli_graph, cli_graph_report, cli_report

    if file is None:
        config = preset(preset_name.value)
        cli_report.show(
            cli_report.config_table(), cli_report.memory_table(config), cli_report.tool_versions()
        )
    elif cli_graph.is_graph_model(file) and cli_files.is_image(file):
        graph = cli_graph.open_model(file, preset(preset_name.value))
        cli_report.show(*cli_graph_report.graph_tables(graph.image, graph.config))
    elif cli_files.is_image(file):
        model = cli_files.open_model(file, preset(preset_name.value))
        cli_report.show(*cli_report.image_tables(model.image, model.config))
    else:
        from spectramac.model.network import load_network

        cli_report.show(*cli_report.network_table(load_network(file)))


class DemoNetwork(StrEnum):
    """The networks of the demonstration."""

    DENSE = "dense"
    CONVOLUTIONAL = "convolutional"


_TRAINING = {
    DemoNetwork.DENSE: ("train_demo", "train_digits"),
    DemoNetwork.CONVOLUTIONAL: ("train_demo_conv", "train_conv_digits"),
}
"""Module of :mod:`spectramac.compress` and function."""


@command("train-demo")
def train_demo(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Network file; default: the demonstration's."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all random numbers.")] = 0,
    only: Annotated[
        DemoNetwork | None, typer.Option(help="Only this network; default: both.")
    ] = None,
) -> None:
    """Train and compress the demonstration networks: handwritten digits (needs extra 'train')."""
    from spectramac.host import cli_report

    if output is not None and only is None:
        raise typer.BadParameter("--output is for one network; say which with --only")
    arguments = {} if output is None else {"output": output}
    for network in DemoNetwork if only is None else [only]:
        name, function = _TRAINING[network]
        module = import_extra(f"spectramac.compress.{name}", "train,data", "training")
        cli_report.show(getattr(module, function)(seed=seed, log=cli_report.note, **arguments))


@command("compile")
def compilecommand(
    network: Annotated[Path, NetworkFile],
    output: Annotated[Path, typer.Option("--output", "-o", help="Image file to write.")],
    preset_name: PresetOption = SMALL,
    settings: SettingsOption = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Inputs (.npy or .npz) to calibrate an ONNX model with; the first two are explained."
        ),
    ] = None,
    graph: Annotated[
        Path | None, typer.Option(help="Also write the quantized network graph (.npz).")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what every layer of a graph will cost.")
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            help="Of the convolutions of an ONNX model: auto (fewest predicted cycles, layer by layer), direct, "
            "sft, tiles 4, tiles 8 or tiles 16."
        ),
    ] = "auto",
    density: Annotated[
        float, typer.Option(min=0.001, max=1, help="Part of their coefficients that is kept.")
    ] = 1.0,
    bits: Annotated[int, typer.Option(min=4, max=8, help="Of these coefficients.")] = 8,
    max_error: Annotated[
        float | None,
        typer.Option(min=0, help="--form auto: relative RMS error that a layer may have."),
    ] = None,
    requantize: Annotated[
        bool,
        typer.Option(
            "--requantize", help="Drop the scales of a QDQ model and calibrate anew, symmetrically."
        ),
    ] = False,
) -> None:
    """Compile a network, a network graph or an ONNX model for a configuration."""
    from spectramac.host import cli_graph

    config = configured(preset(preset_name.value), settings or [])
    if cli_graph.is_graph_model(network):
        cli_graph.compile_file(
            network, output, config, data=data, graph=graph, explain=explain,
            options=cli_graph.FormOptions(form, density, bits, max_error, requantize),
        )  # fmt: skip
        return
    from spectramac.compiler.compile import compile_network
    from spectramac.host import cli_report
    from spectramac.model.network import load_network

    image = compile_network(load_network(network), config)
    image.save(output)
    cli_report.show(cli_report.layer_table(image, config))
    cli_report.show(f"stored bytes: {image.stored_bytes}")
    cli_report.note(f"wrote {output} for configuration {config.name}")


@command("run")
def run(
    file: Annotated[Path, ModelFile],
    transport: Annotated[TransportName, typer.Option(help="What runs it.")] = TransportName.model,
    data: Annotated[str, typer.Option(help="'digits' or a .npy file of inputs.")] = "digits",
    preset_name: PresetOption = SMALL,
    check: Annotated[
        bool, typer.Option("--check", help="Compare with the golden model; exit 1 if different.")
    ] = False,
    quantize: Annotated[
        bool, typer.Option("--quantize", help="The data are real values: convert to int8 first.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first inputs.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the int8 outputs as .npy.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one pass over the program.")] = 60.0,
    trace: Annotated[
        Path | None, typer.Option(help="Write an FST trace (transport sim only).")
    ] = None,
    settings: SettingsOption = None,
) -> None:
    """Run an image, or a network or graph compiled for --preset, and report accuracy and cycles."""
    if trace is not None and transport is not TransportName.sim:
        raise typer.BadParameter("--trace needs --transport sim")
    from spectramac.host import cli_files, cli_graph, cli_report, cli_run

    config = configured(preset(preset_name.value), settings or [])
    is_graph = cli_graph.is_graph_model(file)
    runs: Any = cli_graph if is_graph else cli_run
    files: Any = cli_graph if is_graph else cli_files
    model = files.open_model(file, config)
    sample = files.load_data(data, model.image, quantize=quantize, limit=limit)
    if check and transport is TransportName.model and model.network is None:
        raise typer.BadParameter(
            "--check of an image needs --transport sim; with the model there is nothing to compare, "
            "unless the network itself is given"
        )
    options = {} if trace is None else {"trace": trace}
    result = golden = runs.execute(model, sample.x, transport.value, timeout=timeout, **options)
    if transport is not TransportName.model:
        golden = runs.execute(model, sample.x, "model", timeout=timeout)
    if output is not None:
        import numpy as np

        np.save(output, result.outputs, allow_pickle=False)
        cli_report.note(f"wrote {output}")
    cli_report.show(cli_run.run_table(model, transport.value, sample, result, golden))
    if check:
        differences = runs.compare(model, sample.x, result, golden)
        if differences:
            raise MismatchError("; ".join(differences))
        cli_report.show("identical to the golden model")


def gateware(*modules: str) -> list[Any]:
    """Modules of :mod:`spectramac.gateware`."""
    what = "writing Verilog"
    return [import_extra(f"spectramac.gateware.{name}", "hdl", what) for name in modules]


@command("accelerator", of=verilog_app)
def verilog_accelerator(
    preset_name: PresetOption = SMALL,
    out: VerilogFolder = VERILOG,
    technology: Annotated[
        Technology, typer.Option(help="'ice40' puts weights in the UP5K's SPRAM.")
    ] = Technology.generic,
) -> None:
    """Write the Verilog of a configuration and print its SHA-256."""
    from spectramac.host import cli_report

    writer, accelerator = gateware("verilog", "accelerator")
    config = preset(preset_name.value)
    component = accelerator.Accelerator(config, technology=technology.value)
    text = writer.to_verilog(component, "accelerator")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{config.name}.v"
    path.write_text(text, encoding="utf-8")
    rows = [(str(path), len(text), writer.sha256(text), f"0x{config.build_id:08x}")]
    cli_report.show(cli_report.table("Verilog", ("file", "bytes", "sha256", "build id"), rows))


@command("bench")
def bench(
    presets: Annotated[
        list[PresetName] | None, typer.Option("--preset", help="May be repeated; default: all.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first digits.")] = None,
) -> None:
    """Run the digits on the simulated RTL of each preset and report its speed (needs extra 'sim').

    Presets that run layers over maps get the convolutional network, the others the fully-connected one.
    """
    from spectramac.host import cli_report

    demo = import_extra("spectramac.sim.demo", "hdl,sim,data", "the simulation")
    names = [p.value for p in presets] if presets else list(PRESETS)
    results = []
    for name in names:
        cli_report.note(f"building and simulating {name}")
        with cli_report.progress(name) as progress:
            results.append(demo.run_preset(name, limit=limit, progress=progress))
    cli_report.show(demo.speed_table(results))
    failed = [r.preset for r in results if r.differences]
    if failed:
        raise MismatchError(f"RTL and golden model differ on {', '.join(failed)}")
