"""``edge-agent browse`` against a server made of node-opcua: its limits, its bookmarks, its user."""

from __future__ import annotations

import json

from edge_agent.cli import main

PLANT = "urn:plant:reactor"


def served(node_home, **config):
    return json.dumps({"pki": str(node_home / "pki"), "namespaces": [PLANT], **config})


def test_a_large_folder_under_small_limits_is_seen_whole(new_node_program, node_home, capsys, tmp_path):
    nodes = [[PLANT, f"TT-{number}", "Double", number] for number in range(1, 621)]
    limits = {"maxNodesPerRead": 40, "maxNodesPerBrowse": 30}
    server = new_node_program("node_opcua_server.js", served(node_home, nodes=nodes, limits=limits))
    out = tmp_path / "points.csv"
    assert main(["browse", server.endpoint, "--out", str(out), "--device", "plc", "--source", "store"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 620
    assert f"nsu={PLANT};s=TT-620" in told.out
    assert "CUT" not in told.err
    assert len(out.read_text("utf-8").splitlines()) == 621
    assert server.tell("largest")["read"] <= 40
    assert "BrowseNextRequest" in server.tell("services")
    assert not {"WriteRequest", "CallRequest", "CreateSubscriptionRequest"}.intersection(server.tell("services"))


def test_a_wrong_user_is_refused_in_words(new_node_program, node_home, capsys, tmp_path):
    server = new_node_program("node_opcua_server.js", served(node_home, user=["reader", "right"]))
    (tmp_path / "password").write_text("wrong\n")
    arguments = ["--user", "reader", "--password-file", str(tmp_path / "password")]
    assert main(["browse", server.endpoint, *arguments]) == 1
    told = capsys.readouterr().err
    assert "refused" in told or "encrypted" in told
