# SPDX-License-Identifier: Apache-2.0
"""Guards that stand in the service's own tables, read out of its sources."""
import glob
import os
import re


def _sources(root, pattern):
    for path in sorted(glob.glob(os.path.join(root, pattern), recursive=True)):
        with open(path, encoding="utf-8") as file:
            yield os.path.relpath(path, root), file.read()


# What they call for asks for more of others than the row does.
_STRONGER = {"Container.SendState", "Container.ReceiveState"}


def _rows(root, make):
    """Each method that polkit is asked about, for everybody; and what others need, as if it were
    their own."""
    row = re.compile(r'\{ "(\w+)",(?:[^{}]|\{[^{}]*\})*?(BUS_OWNER|BUS_ACTION), ("[\w-]+"|NULL), '
                     r'("[\w-]+")')
    for file, text in _sources(root, "service/bus/class-*.c"):
        interface = re.search(r'\.interface = BUS_NAME "\.(\w+)"', text)
        for found in row.finditer(text):
            method = f"{interface[1]}.{found[1]}" if interface else found[1]
            guard = make(f"row of {method}: for everybody")
            old = found[0]
            guard.changes.append((file, old, old.replace(found[2], "BUS_PUBLIC")))
            guard.tests.append(["bus/bus-authorization", "matrix_of_refusals"])
            guard.says = re.escape(method)
            yield guard
            if (found[2] == "BUS_OWNER" and found[3] != found[4]
                    and method not in _STRONGER):
                guard = make(f"row of {method}: others as the owner")
                guard.changes.append((file, old, old[:old.rindex(found[4])] + '"use"'))
                guard.tests.append(["bus/bus-authorization", "matrix_of_refusals"])
                guard.says = re.escape(method)
                yield guard


def _keys(root, make):
    """Each key that takes more than "use"."""
    row = re.compile(r'\{ "([\w.*-]+)", [^{}]*?(CONFIG_CLASS_(?!USE)\w+)')
    for file, text in _sources(root, "service/model/config-key-table.c"):
        for found in row.finditer(text):
            guard = make(f"class of {found[1]}: use")
            guard.changes.append((file, found[0],
                                  found[0].replace(found[2], "CONFIG_CLASS_USE")))
            guard.tests.append(["unit/test-privilege", "classes_of_keys"])
            guard.says = "attach-own-files|use-kernel-surface|host-access"
            yield guard


# What a gate says of what may pass: it lets everything through.
_GATES = {"name_check": "0", "name_is_fingerprint": "true", "volume_name_is_valid": "true",
          "container_name_is_valid": "true",
          "container_path_is_plain": "true", "image_template_file_is_valid": "true",
          "image_server_check_name": "0", "image_server_check_url": "0"}

# Who sees that what comes to a file is not looked at.
_SEES = {
    "service/model/catalogue.c": ["unit/test-catalogue"],
    "service/model/config-value.c": ["unit/test-config-key"],
    "service/model/device.c": ["unit/test-device", "bus/bus-names"],
    "service/model/device-check.c": ["unit/test-device-options", "bus/bus-volumes"],
    "service/model/image-server.c": ["unit/test-records", "bus/bus-names"],
    "service/model/network-options.c": ["unit/test-network-options"],
    "service/model/snapshot-pattern.c": ["unit/test-snapshot-names"],
    "service/model/snapshot.c": ["unit/test-records"],
    "service/model/volume.c": ["unit/test-records", "bus/bus-recovery"],
    "service/model/image-template.c": ["unit/test-image-template", "unit/test-image-metadata"],
    "service/model": ["unit/test-name", "unit/test-config-key", "bus/bus-names"],
    "service/operation/container-import-plan.c": ["bus/bus-names", "bus/bus-archives"],
    "service/operation/image-": ["bus/bus-names", "bus/bus-downloads"],
    "service/operation": ["bus/bus-names"],
    "service/bus": ["bus/bus-names"],
    "service/worker/download": ["unit/test-catalogue", "system/test-image-server"],
    "service/worker/image": ["unit/test-image", "unit/test-image-bad", "unit/test-image-metadata"],
    "service/worker/network": ["network/test-network"],
    "service/worker/runtime": ["worker/test-runtime-attacks"],
    "service/worker/storage": ["unit/test-volume", "unit/test-snapshot", "unit/test-pool"],
}


def _who_sees(file):
    return _SEES[max((part for part in _SEES if file.startswith(part)), key=len)]


def _end_of_call(text, start):
    """Where the parenthesis that opens at `start` is closed."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at + 1
    return None


def _function_at(text, position):
    names = re.findall(r"^(?!G_)\w[\w \*]*?(\w+)\([^;]*?\) \{", text[:position], re.MULTILINE)
    return names[-1] if names else "?"


# Where the same is asked once more at once: of pools by devices_check(), of images by each of two.
_TWICE = {"values_make", "create_check", "on_image", "rebuild_image"}


def _gates(root, make):
    """Each call that says whether a name may be one."""
    call = re.compile(r"(?<![\w.>])(" + "|".join(_GATES) + r")(\()")
    for file, text in _sources(root, "service/**/*.c"):
        for found in call.finditer(text):
            line = text[text.rindex("\n", 0, found.start()) + 1:found.start()]
            if not line.startswith(" ") or line.lstrip().startswith("*"):
                continue  # a definition, a comment
            end = _end_of_call(text, found.start(2))
            function = _function_at(text, found.start())
            if function in _TWICE:
                continue
            guard = make(f"gate {found[1]}() in {function}() of {file}: "
                         + re.sub(r"\s+", " ", text[found.start(2):end]))
            guard.changes.append((file, (found.start(), end), _GATES[found[1]]))
            guard.tests += [[test] for test in _who_sees(file)]
            yield guard


def guards(root, make):
    """All of them; `make` makes one of a name."""
    for kind in (_rows, _keys, _gates):
        yield from kind(root, make)
