"""Horizontal bars of tests/bench/peers as one SVG: a group for each path, a bar for each tool."""
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 860, 150, 120
BAR, GAP, HEAD = 15, 3, 34
OWN, CIPHER, CLEAR, FRAME = "#0b6e99", "#8a96a3", "#c5ccd3", "#d0d5da"


def text(x, y, words, more=""):
    return '<text x="%.1f" y="%.1f" %s>%s</text>' % (x, y, more, escape(words))


def group(top, title, line_mbit, cells, tools):
    """One path: what was reached as a share of the line."""
    room = WIDTH - LEFT - RIGHT
    parts = [text(0, top + 14, title, 'font-weight="600"')]
    y = top + HEAD - 10
    for name, cell in cells.items():
        share = min(1, cell["mbit_s"] / line_mbit) if cell else 0
        colour = OWN if name == "skyferry" else CIPHER if tools[name].is_encrypted else CLEAR
        said = "%.1f Mbit/s" % cell["mbit_s"] if cell else "never"
        parts.append(text(LEFT - 8, y + BAR - 3, name, 'text-anchor="end"'))
        parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>' % (
            LEFT, y, share * room, BAR, colour))
        parts.append(text(LEFT + share * room + 6, y + BAR - 3, said, 'fill="#3c3c3c"'))
        y += BAR + GAP
    parts.append('<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s"/>' % (
        LEFT + room, LEFT + room, top + HEAD - 12, y, FRAME))
    return parts, y + 14


def bars(titles, table, tools):
    """`titles`: path -> (title, Mbit/s of the line); `table`: path -> tool -> medians or None."""
    parts, y = [], 44
    for path, cells in table.items():
        more, y = group(y, *titles[path], cells, tools)
        parts += more
    head = text(0, 16, "Goodput of one file over the same link; the line at the right is its rate",
                'font-size="14" font-weight="600"')
    legend = ""
    for number, (colour, words) in enumerate(((OWN, "Skyferry"), (CIPHER, "encrypted"),
                                              (CLEAR, "in the clear"))):
        legend += '<rect x="%d" y="26" width="10" height="10" fill="%s"/>' % (number * 110, colour)
        legend += text(number * 110 + 15, 35, words)
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 -6 %d %d" width="%d" '
            'font-family="system-ui, sans-serif" font-size="12" fill="#2a2a2a">\n'
            '<rect x="-10" y="-6" width="100%%" height="100%%" fill="#fff"/>\n%s\n%s\n%s\n</svg>\n' % (
                WIDTH + 20, y + 12, WIDTH + 20, head, legend, "\n".join(parts)))
