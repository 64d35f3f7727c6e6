"""
Puts edited sources into the running functions, within seconds and without sam.

The file is copied into the build, compiled, and the function or layer it belongs to replaced.
Where a file is gone, or the template, the packaging or requirements have changed, only a whole
deployment will do.
"""

import io
import py_compile
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from local import deploy
from local.deploy import ARTIFACTS, BUILD
from local.stack import ROOT, Stack, StackError

OUT = BUILD / "out"
LAYER = "BillingLayer"

type Snapshot = Mapping[Path, tuple[int, int]]


def snapshot() -> Snapshot:
    """Return when each source was written last, and its size."""
    found = {}
    for file in deploy.source_files():
        try:
            stat = file.stat()
        except FileNotFoundError:  # editors write a new file and move it over the old one
            continue
        found[file] = (stat.st_mtime_ns, stat.st_size)
    return found


def changed(before: Snapshot, after: Snapshot) -> list[Path]:
    """Return which files are new, different or gone."""
    return sorted(
        file for file in before.keys() | after.keys() if before.get(file) != after.get(file)
    )


def is_quick(files: Iterable[Path]) -> bool:
    """Return whether no whole deployment is needed for a change of these files."""
    return all(
        file.exists()
        and file.name != "requirements.txt"
        and file.relative_to(ROOT).parts[0] in ("functions", "layers")
        for file in files
    )


def reload(stack: Stack, files: Iterable[Path]) -> list[str]:
    """
    Put changed files into the running functions; return the names of what was replaced.

    Raise StackError where one of them cannot be compiled.
    """
    places = {file: _place(file) for file in files}
    with deploy.one_at_a_time():
        for file, place in places.items():
            if file.suffix == ".py":
                _check_syntax(file)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            if file.suffix == ".py":
                _compile(place)
        artifacts = {place.relative_to(OUT).parts[0] for place in places.values()}
        push(stack, artifacts)
        deploy.note(stack, deploy.sources_hash(), is_reload=True)
    return sorted(artifacts)


def push(stack: Stack, artifacts: Iterable[str] | None = None) -> None:
    """Replace functions, and the layer of all of them, by what the build has; or all of it."""
    for artifact in sorted(path.name for path in OUT.iterdir() if path.is_dir()):
        if artifacts is not None and artifact not in artifacts:
            continue
        packed = _upload(stack, artifact)
        if artifact == LAYER:
            _replace_layer(stack, packed)
        else:
            deploy.client(stack, "lambda").update_function_code(
                FunctionName=deploy.physical_id(stack, artifact),
                S3Bucket=packed["S3Bucket"],
                S3Key=packed["S3Key"],
            )


def _replace_layer(stack: Stack, packed: dict[str, str]) -> None:
    functions = deploy.client(stack, "lambda")
    names = [deploy.physical_id(stack, each.name) for each in OUT.glob("*Function")]
    [old] = functions.get_function_configuration(FunctionName=names[0])["Layers"]
    layer, version = old["Arn"].rsplit(":", 1)
    new = functions.publish_layer_version(
        LayerName=layer.rsplit(":", 1)[1], Content=packed, CompatibleRuntimes=["python3.13"]
    )
    for name in names:
        functions.update_function_configuration(FunctionName=name, Layers=[new["LayerVersionArn"]])
    functions.delete_layer_version(LayerName=layer, VersionNumber=int(version))


def _place(file: Path) -> Path:
    """Return where a source stands in the build. Raise ValueError where it does not."""
    match file.relative_to(ROOT).parts:
        case ("layers", "billing", *rest):
            return OUT.joinpath(LAYER, "python", *rest)
        case ("functions", folder, *rest):
            name = "".join(word.capitalize() for word in folder.split("_")) + "Function"
            whole = OUT.joinpath(name, "functions", folder)  # of several modules: see packaging
            return (whole if whole.exists() else OUT / name).joinpath(*rest)
    raise ValueError(file)


def _check_syntax(file: Path) -> None:
    try:
        compile(file.read_bytes(), file, "exec")
    except (SyntaxError, ValueError) as error:
        raise StackError(f"{file.relative_to(ROOT)}: {error}") from error


def _compile(place: Path) -> None:
    """Compile a file as packaging does: the byte code is taken without looking at the file."""
    py_compile.compile(
        str(place), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def _upload(stack: Stack, artifact: str) -> dict[str, str]:
    """Pack an artifact, uncompressed, and return where it is."""
    packed, folder = io.BytesIO(), OUT / artifact
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    key = f"reload/{artifact}.zip"
    deploy.client(stack, "s3").put_object(Bucket=ARTIFACTS, Key=key, Body=packed.getvalue())
    return {"S3Bucket": ARTIFACTS, "S3Key": key}
