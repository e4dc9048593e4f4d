"""Nested objects, leaf by leaf."""

from runcube.core import leaves


def test_leaves_come_in_their_order_with_the_keys_on_the_way():
    record = {"a": 1, "b": {"c": None, "d": {"e": [2]}, "f": True}, "g": {}}
    assert list(leaves(record, "/")) == [("a", 1), ("b/c", None), ("b/d/e", [2]), ("b/f", True)]


def test_two_leaves_may_have_one_name():
    assert list(leaves({"a": {"b": 1}, "a.b": 2}, ".")) == [("a.b", 1), ("a.b", 2)]


def test_nothing_is_too_deep():
    nested = 1
    for _ in range(5000):
        nested = {"a": nested}
    ((name, value),) = leaves(nested, ".")
    assert (name, value) == (".".join("a" * 5000), 1)


def test_what_contains_itself_is_a_leaf_there_and_twice_the_same_is_not():
    same = {"y": 1}
    record = {"x": {"one": same, "two": same}}
    record["x"]["root"] = record
    assert list(leaves(record, ".")) == [("x.one.y", 1), ("x.two.y", 1), ("x.root", record)]


def test_a_leaf_may_hang_on_what_it_is_inside_of():
    record = {"a": [0]}
    record["a"].append(record)

    def leaf(value, inside):
        return [*inside] == [id(record)] and id(value[1]) in inside

    assert dict(leaves(record, ".", leaf=leaf)) == {"a": True}


def test_what_has_something_inside_is_for_the_caller_to_say():
    def inner(value):
        return enumerate(value) if isinstance(value, list) else None

    found = leaves({"a": [1, {"b": 2}]}, "/", inner=inner, name_of=lambda key: f"<{key}>")
    assert list(found) == [("<a>/<0>", 1), ("<a>/<1>", {"b": 2})]
