"""Where requests go: patterns, conditions, rewrites, redirects, before real nginx origins and with curl as a client."""

from __future__ import annotations

from lab import body_of
from test_proxy import Proxy


def routed(routes: list, **settings) -> Proxy:
    """A proxy whose one site has these routes; those that say nothing go to the origins."""
    def site(node) -> dict:
        site = node.site_settings()
        site["site"]["routes"] = [route if {"redirect", "respond"} & set(route) else {"upstream": "origins", **route}
                                  for route in routes]
        return site

    return Proxy(site=site, **settings)


def test_paths_are_rewritten_for_the_origin(test):
    proxy = routed([{"path": "/files", "rewrite_prefix": "/"},
                    {"path": "^/size/([0-9]+k)$", "match": "regex", "rewrite": "/${1}"},
                    {"path": "/16k", "match": "exact"}])
    with proxy.connect() as client:
        assert client.get("/files/1k").body == body_of("1k")
        assert client.get("/size/64k?x=1").body == body_of("64k")
        assert client.get("/16k").body == body_of("16k")
        assert client.get("/1k").status == 404
    metrics = proxy.node.run(["curl", "-s", "--unix-socket", str(proxy.node.proxy_socket), "http://x/metrics"]).stdout
    assert 'vipair_proxy_refused_requests_total{reason="no_route"} 1' in metrics, metrics


def test_what_the_origin_calls_its_paths_is_mapped_back(test):
    proxy = routed([{"path": "/files", "rewrite_prefix": "/"},
                    {"path": "/same", "rewrite_prefix": "/", "map_location": False}])
    for origin in proxy.lab.origins:  # nginx leads to the folder by a URL of the host that was asked and its own port
        (origin.folder / "folder").mkdir()
    with proxy.connect() as client:
        assert client.get("/files/folder?a=b").field("Location") == "/files/folder/?a=b"
        location = client.get("/same/folder").field("Location")
        assert location.startswith("http://") and location.endswith("/folder/"), location
    curl = proxy.lab.client.run(["curl", "-s", "-L", "-w", "%{url_effective}", "-o", "/dev/null",
                                 f"http://{proxy.address}/files/folder"])
    assert curl.stdout == f"http://{proxy.address}/files/folder/", curl.stdout


def test_conditions_choose_the_route(test):
    proxy = routed([{"path": "/", "headers": [{"name": "X-Small", "present": True}], "rewrite_prefix": "/1k"},
                    {"path": "/64k", "methods": ["GET"]}])
    with proxy.connect() as client:
        assert client.get("/64k").body == body_of("64k")
        assert client.get("/", "X-Small: 1").body == body_of("1k")
        response = client.get("/64k", "Content-Length: 0", method="DELETE")
        assert (response.status, response.field("Allow")) == (405, "GET, HEAD"), response
        assert client.get("/").status == 404


def test_curl_follows_a_redirect(test):
    proxy = routed([{"path": "/"}, {"path": "/old", "redirect": {"to": "/1k", "status": 308}},
                    {"path": "/robots.txt", "match": "exact", "respond": {"body": "User-agent: *\n"}}])
    curl = proxy.lab.client.run(["curl", "-s", "-L", "-w", "%{num_redirects} %{http_code}", "-o", "/dev/null",
                                 f"http://{proxy.address}/old/x"])
    assert curl.stdout == "1 200", curl.stdout
    with proxy.connect() as client:
        assert client.get("/robots.txt").body == b"User-agent: *\n"
        assert client.get("/old").field("Location") == "/1k"


def test_a_hard_pattern_costs_one_request_and_not_the_worker(test):
    proxy = routed([{"path": "^/(a+)+$", "match": "regex"}, {"path": "/"}])
    with proxy.connect() as client:
        for _ in range(20):
            assert client.get("/" + "a" * 60 + "!").status == 400
            assert client.get("/1k").body == body_of("1k")
    assert proxy.node.proxy_status()["refused"]["pattern_given_up"] == 20


def test_pages_of_the_operator(test):
    page = "<!doctype html><title>Sorry</title>"

    def site(node) -> dict:
        (node.folder / "sorry.html").write_text(page)
        site = node.site_settings()
        site["site"]["error_pages"] = [{"status": [502, 503, 504], "file": str(node.folder / "sorry.html")}]
        return site

    proxy = Proxy(site=site)
    for origin in proxy.lab.origins:
        origin.stop_nginx()
    response = proxy.get("/1k")
    assert (response.status, response.body.decode()) == (502, page), response
    assert response.field("Cache-Control") == "no-store", response
