#!/usr/bin/python3
"""Holds a page of skyferry-sim against what every one must be.

    check_page.py FILE PLOTS

Tags nest and close, each SVG is well-formed XML with a label, nothing is fetched
from elsewhere, no script runs, and there are as many plots as there should be.
"""
import html.parser
import re
import sys
import xml.etree.ElementTree

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        assert tag not in ("script", "link", "img", "iframe"), tag
        for name, value in attrs:
            assert name not in ("src", "href", "onload", "onclick"), (tag, name, value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, ("</%s>" % tag, self.open, self.getpos())
        self.open.pop()


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, page.open
    assert {"html", "title", "style", "main", "h1", "dl", "footer"} <= page.seen, page.seen
    plots = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(plots) == int(sys.argv[2]), len(plots)
    for plot in plots:
        root = xml.etree.ElementTree.fromstring(plot)
        assert root.get("aria-label") and root.get("viewBox")
        for element in root.iter():
            for value in element.attrib.values():
                assert "nan" not in value and "inf" not in value, value
    assert "url(" not in text and "@import" not in text


main()
