"""Requests that two readers may read differently, each with the one judgement that is safe.

rows() makes them: a Row's text is bytes as a client would send them. Its verdict is REFUSED (our answer is an error and
the connection ends), NOT_SERVED (our answer is an error; where the request ends is clear, so the connection goes on) or
the readings that an origin has to arrive at. Behind each row comes a clean request to AFTER: of a refused row it must
never be served.
"""

from __future__ import annotations

from typing import NamedTuple, Union

from strict_origin import Reading

REFUSED = None
NOT_SERVED: list = []
AFTER = "/after"
HOST = b"Host: x\r\n"
CHUNKS = b"5\r\nabcde\r\n0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


class Row(NamedTuple):
    name: str
    text: bytes
    verdict: Union[list, None]
    ends: bool = False  # the row itself says that the connection ends behind it


def get(*lines: bytes, host: bytes = HOST, start: bytes = b"GET /r HTTP/1.1\r\n") -> bytes:
    return start + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(*lines: bytes, body: bytes = b"", start: bytes = b"POST /r HTTP/1.1\r\n") -> bytes:
    return get(*lines, start=start) + body


def read(method: str = "POST", body: bytes = b"abcde", target: str = "/r", host: str = "x") -> list:
    return [Reading(method, target, host, body)]


def chunked(body: bytes, *lines: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", *lines, body=body)


def rows() -> list:
    families = [lengths, repeated_lengths, codings, both_framings, versions_and_framing, field_names, line_ends, request_lines,
                targets, hosts, absolute_targets, chunk_lines, chunk_ends, trailers, connection_options, values,
                bodies_that_look_like_requests]
    return [row._replace(name=f"{family.__name__}: {row.name}") for family in families for row in family()]


def lengths():
    for value in (b"+5", b"-5", b"-0", b"5,5", b"5, 5", b"5,", b",5", b"5;", b"5;q=1", b"0x5", b"5.0", b"5e0", b"", b"five",
                  b"5 5", b"5\t5", b"0 5", b'"5"', b"5L", b"1_0", b"_5", b"\xd9\xa5", b"\xef\xbc\x95", b"5\0", b"\x005",
                  b"5\x0b", b"\x0b5", b"\x0c5", b"5\x7f", b"\xa05", b"99999999999999999999", b"18446744073709551621",
                  b"18446744073709551616", b"9223372036854775813", b"4294967301 ,", b"5\r", b"'5'", b"(5)", b"5%00"):
        yield Row(repr(value), post(b"Content-Length: " + value, body=b"abcde"), REFUSED)
    for value in (b"5", b"05", b"0000000005", b"   5", b"5   ", b"\t5\t"):
        yield Row(repr(value), post(b"Content-Length:" + value, body=b"abcde"), read())


def repeated_lengths():
    for first, second in ((b"5", b"5"), (b"5", b"6"), (b"6", b"5"), (b"0", b"5"), (b"5", b"0"), (b"5", b""), (b"", b"5")):
        for name in (b"Content-Length", b"content-length"):
            yield Row(f"{first!r}, {name.decode()} {second!r}",
                      post(b"Content-Length: " + first, name + b": " + second, body=b"abcde"), REFUSED)
    yield Row("with others between", post(b"Content-Length: 5", b"X: y", b"CONTENT-LENGTH: 5", body=b"abcde"), REFUSED)


def codings():
    for value in (b"xchunked", b"chunkedx", b"chunke", b"chunked, identity", b"identity, chunked", b"identity", b"gzip",
                  b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"chunked,chunked", b"chunked,", b",chunked",
                  b'"chunked"', b"'chunked'", b"chunked;", b"chunked;q=1", b"chunked; q=0", b"chunked chunked", b"chun ked",
                  b"x, chunked, y", b"", b"chunked\0", b"\0chunked", b"chunked\x0b", b"\x0bchunked", b"\x0cchunked",
                  b"chunked\x7f", b"\xffchunked", b"\xa0chunked", b"chun\xe2\x84\xaaed", b"trailers, chunked", b"cow",
                  b"chunked\r\n identity", b"chunked\r\n\tchunked", b"\r\n chunked", b"chunked\n identity", b"chunked\\",
                  b"(chunked)", b"chunked /", b"*", b"chunked=1"):
        yield Row(repr(value), post(b"Transfer-Encoding: " + value, body=CHUNKS), REFUSED)
    for value in (b"chunked", b"Chunked", b"CHUNKED", b"  chunked", b"chunked  ", b"\tchunked\t"):
        yield Row(repr(value), post(b"Transfer-Encoding:" + value, body=CHUNKS), read())
    for first, second in ((b"chunked", b"chunked"), (b"chunked", b"identity"), (b"identity", b"chunked"), (b"", b"chunked")):
        yield Row(f"{first!r} and {second!r}",
                  post(b"Transfer-Encoding: " + first, b"transfer-encoding: " + second, body=CHUNKS), REFUSED)


def both_framings():
    for length in (b"5", b"0", b"15", b"20", b""):
        for coding in (b"chunked", b"Chunked", b"identity", b"xchunked", b"", b"chunked, identity"):
            lines = [b"Content-Length: " + length, b"Transfer-Encoding: " + coding]
            yield Row(f"length {length!r}, coding {coding!r}", post(*lines, body=CHUNKS), REFUSED)
        yield Row(f"coding, length {length!r}", post(b"Transfer-Encoding: chunked", b"Content-Length: " + length, body=CHUNKS),
                  REFUSED)


def versions_and_framing():
    old = b"POST /r HTTP/1.0\r\n"
    yield Row("chunked in 1.0", post(b"Transfer-Encoding: chunked", start=old, body=CHUNKS), REFUSED)
    yield Row("chunked and kept in 1.0",
              post(b"Connection: keep-alive", b"Transfer-Encoding: chunked", start=old, body=CHUNKS), REFUSED)
    yield Row("both in 1.0", post(b"Content-Length: 5", b"Transfer-Encoding: chunked", start=old, body=CHUNKS), REFUSED)
    yield Row("length in 1.0", post(b"Content-Length: 5", start=old, body=b"abcde"), read(), ends=True)
    yield Row("no length in 1.0", post(start=old, body=SMUGGLED), read(body=b""), ends=True)
    yield Row("length in 1.2", post(b"Content-Length: 5", start=b"POST /r HTTP/1.2\r\n", body=b"abcde"), read())


def field_names():
    """Spellings of the names that matter: each is refused, whatever the field would have said."""
    framed = {b"Content-Length": b"5", b"Transfer-Encoding": b"chunked", b"Host": b"y"}
    for name, value in framed.items():
        middle = name[:2] + b"%s" + name[2:]
        for spelling in (name + b" ", name + b"\t", b" " + name, b"\t" + name, name + b"\0", b"\0" + name, name + b"\x0b",
                         name + b"\r", name + b"\r\n", name + b"\x7f", b"\xef\xbb\xbf" + name, name + b"\xa0", b'"' + name + b'"',
                         b"(" + name + b")", middle % b" ", middle % b"\0", middle % b"\r\n", middle % b"\n", middle % b"\xc2\xad",
                         b":" + name, name + b";", name + b"=", name + b"/", name + b"@"):
            text = post(spelling + b": " + value, b"X: z", body=b"" if name == b"Host" else CHUNKS)
            yield Row(repr(spelling), text, REFUSED)
    # Another name to us; origins of the CGI kind may take it for the known one, so it stays behind.
    yield Row("Transfer_Encoding", post(b"Content-Length: 5", b"Transfer_Encoding: chunked", body=b"abcde"), read())
    yield Row("Content_Length", post(b"Content-Length: 5", b"Content_Length: 0", body=b"abcde"), read())
    yield Row("Content_Length alone", post(b"Content_Length: 37", body=SMUGGLED),
              [*read(body=b""), *read("GET", b"", "/smuggled")])
    yield Row("no colon", get(b"Content-Length"), REFUSED)
    yield Row("no name", get(b": 5"), REFUSED)
    yield Row("no name, no value", get(b":"), REFUSED)
    yield Row("no name but blanks", get(b" : 5"), REFUSED)


BAD_ENDS = (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\x0b", b"\x0c", b"\r\0\n", b"\r \n")


def line_ends():
    for end in BAD_ENDS:
        yield Row(f"{end!r} behind the request line", b"GET /r HTTP/1.1" + end + HOST + b"\r\n", REFUSED)
        yield Row(f"{end!r} behind a field", get(b"X: y" + end + b"Z: z"), REFUSED)
        yield Row(f"{end!r} behind Host", b"GET /r HTTP/1.1\r\nHost: x" + end + b"X: y\r\n\r\n", REFUSED)
        yield Row(f"{end!r} at the end", b"GET /r HTTP/1.1\r\n" + HOST + end, REFUSED)
    for fold in (b" ", b"\t", b" \t ", b" Transfer-Encoding: chunked", b"\tContent-Length: 5", b" x: y"):
        yield Row(f"folded {fold!r}", get(b"X: y", fold), REFUSED)
        yield Row(f"folded {fold!r} before the first field", b"GET /r HTTP/1.1\r\n" + fold + b"\r\n" + HOST + b"\r\n", REFUSED)
    for count in (1, 2):
        yield Row(f"{count} empty lines before", b"\r\n" * count + get(), read("GET", b""))
    for before in (b"\r\n" * 3, b"\n", b"\n\n", b"\r", b" ", b"\t", b"\0", b" \r\n", b"\xef\xbb\xbf"):
        yield Row(f"{before!r} before", before + get(), REFUSED)


def request_lines():
    for line in (b"GET  /r HTTP/1.1", b"GET\t/r HTTP/1.1", b"GET /r\tHTTP/1.1", b"GET /r  HTTP/1.1", b"GET /r HTTP/1.1 ",
                 b"GET /r HTTP/1.1\t", b"GET /r x HTTP/1.1", b"GET /r HTTP/1.1 HTTP/1.1", b"GET /r", b"GET /r ", b"GET",
                 b"GET /r http/1.1", b"GET /r Http/1.1", b"GET /r HTTP/1", b"GET /r HTTP/1.", b"GET /r HTTP/.1", b"GET /r HTTP/11",
                 b"GET /r HTTP/1.10", b"GET /r HTTP/01.1", b"GET /r HTTP/1,1", b"GET /r HTTP/+1.1", b"GET /r HTTP/1.1x",
                 b"GET /r HTTP /1.1", b"GET /r HTTP/ 1.1", b"GET /r HTTPS/1.1", b"GET /r ICY/1.1", b"GET /r HTTP/2.0",
                 b"GET /r HTTP/0.9", b"GET /r HTTP/3.1", b"GET /r HTTP/9.9", b"GET /r HTTP/1.\xb9", b"G\0T /r HTTP/1.1",
                 b"GET\0/r HTTP/1.1", b"GET /r\0 HTTP/1.1", b"GET /r HTTP/1.1\0", b"GE(T /r HTTP/1.1", b"GET: /r HTTP/1.1",
                 b"GET, /r HTTP/1.1", b"\xffGET /r HTTP/1.1", b"/r HTTP/1.1", b"HTTP/1.1 200 OK", b"GET\x0b/r HTTP/1.1",
                 b"GET\x0c/r HTTP/1.1", b"GET\r/r HTTP/1.1", b"GET /r\rHTTP/1.1", b"GET\xa0/r HTTP/1.1", b"POST", b"A" * 100,
                 b"A" * 40 + b" /r HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"SSH-2.0-x",
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n"):
        yield Row(repr(line), line + b"\r\n" + HOST + b"\r\n", REFUSED)


def targets():
    for target in (b"r", b"x:80", b"*", b"?q", b"//\x00", b"/r#f", b"/r#", b"/\x7f", b"/\x80", b"/\xc3\xa9", b"/r\x01", b"http:/x/r",
                   b"http:///r", b"http://", b"ftp://x/r", b"http:x/r", b"://x/r", b"javascript:1", b"/r ?q"):
        yield Row(repr(target), get(start=b"GET " + target + b" HTTP/1.1\r\n"), REFUSED)
    for target in (b"/\\r", b"/r\\..\\s", b"/%", b"/%2", b"/%zz", b"/%00", b"/%2f", b"/%2F..%2Fr", b"/%5c", b"/..;/r", b"/r/..;a/s",
                   b"/%2e%2e;/r"):
        yield Row(repr(target), get(start=b"GET " + target + b" HTTP/1.1\r\n"), NOT_SERVED)
        yield Row(f"{target!r} with a body",
                  post(b"Content-Length: %d" % len(SMUGGLED), start=b"POST " + target + b" HTTP/1.1\r\n", body=SMUGGLED), NOT_SERVED)
    for target, canonical in ((b"/a/../r", "/r"), (b"/./r", "/r"), (b"/%72", "/r"), (b"/%2e%2e/r", "/r"), (b"/../../r", "/r"),
                              (b"/r/%2E", "/r/"), (b"//r", "//r"), (b"/r?a=/../b", "/r?a=/../b"), (b"/r;a", "/r;a"),
                              (b"/%e9", "/%E9"), (b"/r%20HTTP/1.1", "/r%20HTTP/1.1"), (b"/r%0d%0aX:%20y", "/r%0D%0AX:%20y")):
        yield Row(repr(target), get(start=b"GET " + target + b" HTTP/1.1\r\n"), read("GET", b"", canonical))
    yield Row("POST *", post(b"Content-Length: 0", start=b"POST * HTTP/1.1\r\n"), REFUSED)
    yield Row("CONNECT", get(start=b"CONNECT x:80 HTTP/1.1\r\n"), REFUSED)
    yield Row("CONNECT of a path", get(start=b"CONNECT /r HTTP/1.1\r\n"), REFUSED)
    yield Row("CONNECT with a body", post(b"Content-Length: 5", start=b"CONNECT x:80 HTTP/1.1\r\n", body=b"abcde"), REFUSED)


def hosts():
    for value in (b"", b"x y", b"x,y", b"x, y", b"x/y", b"x@y", b"u:p@x", b"x:80:80", b"x:abc", b"x:-1", b"x:65536", b"x:+80",
                  b"x: 80", b"x:80 ", b"x?y", b"x#y", b"x\\y", b"x\ty", b"x\0", b"\0x", b"x\x7f", b"x%00", b"http://x", b"x:80/r", b"[::1",
                  b"::1", b"[::1]x", b"[]", b"[x]", b"[::1]:x", b"\xc3\xa9", b"<x>", b'"x"', b"x;y", b"x\x0b", b"x:8 0", b"x&y"):
        if value == b"x:80 ":
            continue  # blanks behind a value are none of it
        yield Row(repr(value), get(host=b"Host: " + value + b"\r\n"), REFUSED)
    yield Row("none", get(host=b""), REFUSED)
    for second in (b"x", b"y", b"", b"X"):
        for name in (b"Host", b"host", b"HOST"):
            yield Row(f"a second {name.decode()} {second!r}", get(name + b": " + second), REFUSED)
    for value in (b"x:80", b"[::1]", b"[::1]:80", b"x.y", b"192.0.2.1", b"x-y"):
        yield Row(repr(value), get(host=b"Host: " + value + b"\r\n"), read("GET", b"", host=value.decode()))


def absolute_targets():
    for target, host in ((b"http://y/r", "y"), (b"HTTP://y/r", "y"), (b"http://y:80/r", "y:80")):
        yield Row(repr(target), get(start=b"GET " + target + b" HTTP/1.1\r\n"), read("GET", b"", host=host))
    yield Row("https without TLS", get(start=b"GET https://y/r HTTP/1.1\r\n"), NOT_SERVED)
    yield Row("without a path", get(start=b"GET http://y HTTP/1.1\r\n"), read("GET", b"", "/", "y"))
    yield Row("with a query alone", get(start=b"GET http://y?q HTTP/1.1\r\n"), read("GET", b"", "/?q", "y"))
    for target in (b"http://u@y/r", b"http://u:p@y/r", b"http://y:99999/r", b"http://y:x/r", b"http://y y/r", b"http://y\\r", b"http://[/r",
                   b"http://y#/r", b"http://y,z/r", b"http://y%00/r", b"http://@y/r", b"http://:80/r", b"http://y@/r", b"http://\xc3\xa9/r"):
        yield Row(repr(target), get(start=b"GET " + target + b" HTTP/1.1\r\n"), REFUSED)
    for host in (b"", b"Host: x y\r\n", b"Host: \r\n", b"Host: x\r\nHost: x\r\n", b"Host: x@y\r\n"):
        if host != b"Host: \r\n":
            yield Row(f"beside {host!r}", get(start=b"GET http://y/r HTTP/1.1\r\n", host=host), REFUSED)


def chunk_lines():
    for size in (b" 5", b"5 ", b"\t5", b"5\t", b"+5", b"-5", b"0x5", b"5x", b"5h", b"g", b"", b" ", b"5,5", b"5 5", b"5.0", b"5_", b"_5", b"5\0",
                 b"\x005", b"\xd9\xa5", b"5\x0b", b"5\r", b"5\n", b"0000000000000005", b"00000000000000005", b"FFFFFFFFFFFFFFFF",
                 b"10000000000000005", b"fffffffffffffffff5", b"8000000000000005", b";5", b"5:", b"5=", b'"5"', b"5;\0", b"5;a\r", b"5;a\n",
                 b"5;a\nb", b"5;a\rb", b"5;" + b"x" * 300, b"5 ;a", b"5;\x7f", b"5#"):
        yield Row(repr(size[:40]), chunked(size + b"\r\nabcde\r\n0\r\n\r\n"), REFUSED)
    for size in (b"5", b"05", b"000000000000005", b"5;a", b"5;a=b", b'5;a="b c"', b"5;a;b=c"):
        yield Row(repr(size), chunked(size + b"\r\nabcde\r\n0\r\n\r\n"), read())
    yield Row("upper case", chunked(b"A\r\nabcdefghij\r\n0\r\n\r\n"), read(body=b"abcdefghij"))
    yield Row("lower case", chunked(b"a\r\nabcdefghij\r\n0\r\n\r\n"), read(body=b"abcdefghij"))
    yield Row("several", chunked(b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"), read())


def chunk_ends():
    for end in BAD_ENDS + (b"", b"  ", b" \r\n", b"x\r\n"):
        yield Row(f"{end!r} behind a chunk", chunked(b"5\r\nabcde" + end + b"0\r\n\r\n"), REFUSED)
    for end in BAD_ENDS + (b" \r\n",):
        yield Row(f"{end!r} behind a size", chunked(b"5" + end + b"abcde\r\n0\r\n\r\n"), REFUSED)
        yield Row(f"{end!r} behind the last size", chunked(b"5\r\nabcde\r\n0" + end + b"\r\n"), REFUSED)
        yield Row(f"{end!r} at the end", chunked(b"5\r\nabcde\r\n0\r\n" + end), REFUSED)
    for body in (b"4\r\nabcde\r\n0\r\n\r\n", b"6\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcde\r\n-0\r\n\r\n", b"5\r\nabcde\r\n\r\n0\r\n\r\n",
                 b"\r\n5\r\nabcde\r\n0\r\n\r\n", b"abcde", b"5\r\nabcde\r\n0x0\r\n\r\n", b"5\r\nabcde\r\nz\r\n\r\n"):
        yield Row(repr(body), chunked(body), REFUSED)
    yield Row("a last size of many zeros", chunked(b"5\r\nabcde\r\n000\r\n\r\n"), read())
    yield Row("a last size with an extension", chunked(b"5\r\nabcde\r\n0;a=b\r\n\r\n"), read())


def trailers():
    for line in (b"X : y", b" X: y", b"X", b": y", b"X: y\r\n z", b"X: \0", b"X: y\n", b"X: y\rZ: z", b"X\0: y", b"X: \x7f", b"X y: z",
                 b"X: " + b"y" * 9000):
        yield Row(repr(line[:40]), chunked(b"5\r\nabcde\r\n0\r\n" + line + b"\r\n\r\n"), REFUSED)
    for line in (b"X: y", b"Content-Length: 0", b"Transfer-Encoding: chunked", b"Host: y", b"Connection: close", b"Authorization: z",
                 b"Content_Length: 7", b"Transfer-Encoding: identity\r\nContent-Length: 37"):
        yield Row(repr(line), chunked(b"5\r\nabcde\r\n0\r\n" + line + b"\r\n\r\n"), read())


def connection_options():
    for option in (b"Content-Length", b"content-length, Host", b"Host", b"Content-Type", b"Cookie", b"X-Forwarded-For"):
        yield Row(repr(option), post(b"Connection: " + option, b"Content-Length: 5", body=b"abcde"), read())
        yield Row(f"{option!r} behind", post(b"Content-Length: 5", b"Connection: keep-alive, " + option, body=b"abcde"), read())
    yield Row("Transfer-Encoding", chunked(CHUNKS, b"Connection: Transfer-Encoding"), read())
    yield Row("close, Content-Length", post(b"Connection: close, Content-Length", b"Content-Length: 5", body=b"abcde"), read(),
              ends=True)
    yield Row("an Upgrade to h2c",
              get(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
              read("GET", b""))
    yield Row("Proxy-Connection", get(b"Proxy-Connection: close"), read("GET", b""))
    yield Row("TE: chunked", get(b"TE: chunked", b"Connection: TE"), read("GET", b""))
    for option in (b'"Content-Length"', b"Content-Length;", b"Content Length", b"a/b", b"(x)", b"x=y", b"\xc3\xa9", b"Content-Length\0"):
        yield Row(repr(option), post(b"Connection: " + option, b"Content-Length: 5", body=b"abcde"), REFUSED)


def values():
    for code in [*range(1, 9), *range(11, 13), *range(14, 32), 127, 0]:
        yield Row(f"{code:#04x} in a value", get(b"X: a" + bytes([code]) + b"b"), REFUSED)
    for value in (b"a\tb", b"a\x85Y: z", b"a\xff", b"", b"a:b", b"Content-Length: 5", b"\xe2\x80\xa8Content-Length: 5"):
        yield Row(repr(value), get(b"X: " + value), read("GET", b""))


def bodies_that_look_like_requests():
    size = len(SMUGGLED)
    yield Row("in a length", post(b"Content-Length: %d" % size, body=SMUGGLED), read(body=SMUGGLED))
    yield Row("in a chunk", chunked(b"%x\r\n%s\r\n0\r\n\r\n" % (size, SMUGGLED)), read(body=SMUGGLED))
    yield Row("behind a length of 0", post(b"Content-Length: 0", body=SMUGGLED), [*read(body=b""), *read("GET", b"", "/smuggled")])
    yield Row("behind no length", post(body=SMUGGLED), [*read(body=b""), *read("GET", b"", "/smuggled")])
    yield Row("behind the last chunk", chunked(CHUNKS + SMUGGLED), [*read(), *read("GET", b"", "/smuggled")])
    for method in (b"GET", b"DELETE", b"OPTIONS", b"PUT", b"PATCH", b"PROPFIND"):
        start = method + b" /r HTTP/1.1\r\n"
        yield Row(f"{method.decode()} with a length", post(b"Content-Length: %d" % size, start=start, body=SMUGGLED),
                  read(method.decode(), SMUGGLED))
        yield Row(f"{method.decode()} with chunks", post(b"Transfer-Encoding: chunked", start=start, body=CHUNKS),
                  read(method.decode()))
    yield Row("a HEAD with a length", post(b"Content-Length: 5", start=b"HEAD /r HTTP/1.1\r\n", body=b"abcde"), read("HEAD"))
    yield Row("which nobody waits to be asked for", post(b"Expect: 100-continue", b"Content-Length: 5", body=b"abcde"), read())
