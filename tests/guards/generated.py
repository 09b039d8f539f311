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


def _option_classes(root, make):
    """Each option that takes more than "use", with the device that the test has for it."""
    with open(os.path.join(root, "tests/unit/classes"), encoding="utf-8") as file:
        above = re.findall(r"^device ([^.\s]+)\.(\S+) (?!use$)\S+$", file.read(), re.MULTILINE)
    old = "return type ? type->privilege(options) : PRIVILEGE_HOST;"
    for kind, option in above:
        guard = make(f"class of {kind}.{option}: use")
        guard.changes.append((
            "service/model/privilege.c", old,
            f'if (type && g_str_equal(name, "{kind}") && config_get(options, "{option}"))\n'
            f"                return PRIVILEGE_USE;\n        {old}"))
        guard.tests.append(["unit/test-device-options", "classes_of_options"])
        guard.says = re.escape(f"device {kind}.{option} use")
        yield guard


# What any text is fine for.
_ANY = ("config_check_text", "config_check_line")


def _values(root, make):
    """Each key and each option of a device whose value is not any text."""
    tables = (
        ("service/model/config-key-table.c", ["unit/test-config-key", "every_key_has"],
         re.compile(r'\{ "([\w.*-]+)", [\w |]+, CONFIG_CLASS_\w+,\s*"[^"]*",\s*(\w+)')),
        ("service/model/device-table.c", ["unit/test-device-options", "bad_values"],
         re.compile(r'\{ "([\w.-]+)", "[^"]*", (\w+_check\w*|\w*check_\w+)')),
    )
    for file, test, row in tables:
        with open(os.path.join(root, file), encoding="utf-8") as table:
            text = table.read()
        for found in row.finditer(text):
            if found[2] in _ANY:
                continue
            line = text.count("\n", 0, found.start()) + 1
            guard = make(f"value of {found[1]} (line {line} of {file}): any")
            guard.changes.append((file, (found.start(2), found.end(2)), _ANY[0]))
            if "device" in file:
                guard.changes.append((file, '#include "service/model/device.h"',
                                      '#include "service/model/device.h"\n'
                                      '#include "service/model/config-value.h"'))
            guard.tests.append(test)
            yield guard


# What a gate says of what may pass: it lets everything through.
_GATES = {"name_check": "0", "name_is_fingerprint": "true", "volume_name_is_valid": "true",
          "container_name_is_valid": "true",
          "container_path_is_plain": "true", "image_template_file_is_valid": "true",
          "image_server_check_name": "0", "image_server_check_url": "0",
          "word_is_domain": "true", "word_is_plain_path": "true"}

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


# Who sees that a step of a job is not undone, beside what fails each step of each verb.
_UNDOES = {
    "service/operation/container-console.c": ["bus/bus-console"],
    "service/operation/container-copy.c": ["bus/bus-copies"],
    "service/operation/container-create.c": ["bus/bus-containers"],
    "service/operation/container-exec.c": ["bus/bus-jobs", "bus/bus-containers"],
    "service/operation/container-export.c": ["bus/bus-archives"],
    "service/operation/container-files.c": ["bus/bus-files"],
    "service/operation/container-import.c": ["bus/bus-archives"],
    "service/operation/container-interruption.c": ["bus/bus-recovery", "bus/bus-boot"],
    "service/operation/container-migrate.c": ["bus/bus-stateful"],
    "service/operation/container-start.c": ["bus/bus-containers", "bus/bus-stateful"],
    "service/operation/container-stateful.c": ["bus/bus-stateful"],
    "service/operation/container-stop.c": ["bus/bus-containers"],
    "service/operation/container-wait.c": ["bus/bus-containers"],
    "service/operation/disk-usage.c": ["bus/bus-volumes"],
    "service/operation/firewall.c": ["bus/bus-networks"],
    "service/operation/image-": ["bus/bus-downloads"],
    "service/operation/initialize.c": ["bus/bus-initialize"],
    "service/operation/limits.c": ["bus/bus-limits"],
    "service/operation/network": ["bus/bus-networks"],
    "service/operation/pool": ["bus/bus-volumes", "bus/bus-recovery"],
    "service/operation/snapshot": ["bus/bus-snapshots", "bus/bus-stateful"],
    "service/operation/update-plan": ["bus/bus-limits", "bus/bus-devices"],
    "service/operation/volume": ["bus/bus-volumes"],
}


def _whose_fail(file):
    for word, names in (("volume", ["volumes"]), ("network", ["networks"]),
                        ("operation/snapshot", ["containers", "snapshots"]),
                        ("container", ["containers"])):
        if word in file:
            return [f"workers_of_{name}" for name in names]
    return ["workers_of_others"]


def _undos(root, make):
    """Each step of a job that is undone."""
    table = re.compile(r"JobStep (\w+)\[\] = \{(.*?)\n\s*\};|#define (\w*STEPS)\b(.*?)\n\n",
                       re.DOTALL)
    row = re.compile(r'\{ (?:"[^"]*"|NULL), (\w+), (\w+)[^{}]*?\}')
    for file, text in _sources(root, "service/operation/*.[ch]"):
        for found in table.finditer(text):
            at = 2 if found[2] else 4
            for step in row.finditer(found[at]):
                if step[2] == "NULL":
                    continue
                guard = make(f"undo of {step[1]}() by {step[2]}() in "
                             f"{found[at - 1]} of {file}")
                begin = found.start(at)
                guard.changes.append((file, (begin + step.start(2), begin + step.end(2)), "NULL"))
                guard.tests.append(["bus/bus-undo", *_whose_fail(file)])
                guard.tests += [[test] for part, tests in _UNDOES.items()
                                if file.startswith(part) for test in tests]
                guard.tests.append(["bus/bus-undo", "each_call"])
                yield guard


def guards(root, make):
    """All of them; `make` makes one of a name. Those of the second row have not all been seen red
    yet, and are not for samples."""
    for kind in (_rows, _keys, _option_classes, _gates):
        yield from kind(root, make)
    for kind in (_values, _undos):
        for guard in kind(root, make):
            guard.may_be_drawn = False
            yield guard
