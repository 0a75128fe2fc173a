"""The page of the data docs, for screen, dark screen and paper.

One file, without any request to elsewhere.
"""
# ruff: noqa: E501  (markup)

STYLE = """
:root { color-scheme: light; --page: #fff; --ink: #1d2733; --muted: #5d6977; --line: #dfe4ea; --soft: #f5f7f9;
  --first: #0b66a8; --second: #c2500a; --pale: #a9cbe6; --grey: #b7c0ca; --good: #14693c; --warn: #7a5200;
  --bad: #a61b1b; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; --page: #14191f; --ink: #e6ebf0; --muted: #9dabb9; --line: #2d3742; --soft: #1b222a;
    --first: #5fb0ea; --second: #f0934f; --pale: #31577a; --grey: #55616e; --good: #5fd394; --warn: #edc15f;
    --bad: #ff8f87; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 2.5rem) 3rem; max-width: 66rem; background: var(--page);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", "DejaVu Sans",
  sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
h1, h2, h3, p, figure, ul, dl, dd { margin: 0; }
.outcome { border: 2px solid currentColor; border-left-width: 12px; border-radius: 6px; padding: 1.3rem 1.6rem; }
.outcome.valid { color: var(--good); } .outcome.warned { color: var(--warn); }
.outcome.refused { color: var(--bad); border-style: double; border-width: 4px 4px 4px 12px; }
.outcome p { color: var(--ink); } .outcome .what { font-weight: 600; }
.what span { color: var(--muted); font-weight: 400; }
h1 { font-size: clamp(1.9rem, 7vw, 2.8rem); line-height: 1.15; margin: 0.3rem 0 0.4rem; }
.sentence { font-size: 1.15rem; font-weight: 600; max-width: 46rem; }
section { margin-top: 2.8rem; }
h2 { font-size: 1.4rem; line-height: 1.3; margin-bottom: 0.8rem; padding-top: 0.6rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1rem; line-height: 1.35; }
.lead { max-width: 46rem; margin-bottom: 1.2rem; }
.note, figcaption, footer { color: var(--muted); font-size: 0.875rem; line-height: 1.45; }
table { border-collapse: collapse; width: 100%; font-size: 0.925rem; line-height: 1.4; }
th, td { text-align: left; vertical-align: top; padding: 0.45rem 0.9rem 0.45rem 0; border-bottom: 1px solid var(--line);
  font-weight: 400; }
thead th { color: var(--muted); font-size: 0.85rem; border-bottom-color: var(--muted); }
tbody th { font-weight: 600; }
.n { text-align: right; white-space: nowrap; }
.critical { color: var(--bad); font-weight: 600; white-space: nowrap; }
.warning { color: var(--warn); font-weight: 600; white-space: nowrap; } .wide + .note { margin-top: 0.6rem; }
.passed { color: var(--good); }
.key { display: flex; flex-wrap: wrap; gap: 0.3rem 1.4rem; margin-bottom: 1.4rem; font-size: 0.9rem; }
.key i { display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.45em; border-radius: 2px; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 2rem 2.2rem; }
.column { border-top: 1px solid var(--line); padding-top: 0.7rem; display: flex; flex-direction: column; }
.column .note { margin-bottom: 0.6rem; }
.column h3 small { font-weight: 400; color: var(--muted); font-size: 0.82rem; margin-left: 0.4rem; }
.column .facts { margin-top: 0.4rem; }
.alert { color: var(--bad); font-weight: 600; }
.chart { display: block; width: 100%; height: 5.2rem; border-bottom: 1px solid var(--muted); }
.ends { display: flex; justify-content: space-between; color: var(--muted); font-size: 0.82rem; }
.stayed { fill: var(--pale); background: var(--pale); } .left { fill: var(--second); background: var(--second); }
.untold { fill: var(--grey); background: var(--grey); }
.values { display: grid; grid-template-columns: minmax(0, max-content) minmax(3rem, 1fr) max-content max-content; gap: 0.3rem 0.6rem; font-size: 0.875rem;
  align-items: center; }
.values b { font-weight: 400; text-align: right; }
.values small { color: var(--muted); font-size: 0.8rem; } .values small:nth-child(n + 3) { text-align: right; }
.shares { height: 2.6rem; margin-top: 0.5rem; border-top: 1px solid var(--line); border-bottom-color: var(--line); }
.shares .all { fill: var(--muted); } .shares .tick { fill: var(--second); }
.source { margin-top: 1rem; border-top: 1px solid var(--line); padding-top: 0.8rem; color: var(--ink); font-size: 0.925rem; }
.source > div { display: grid; grid-template-columns: 6rem 1fr; gap: 0 1rem; padding: 0.15rem 0; }
.source dt { color: var(--muted); } .source code { color: var(--ink); }
.bar { display: flex; height: 0.95rem; } .bar i { height: 100%; }
.links { display: grid; grid-template-columns: max-content 1fr max-content; gap: 0.25rem 0.8rem; font-size: 0.925rem;
  align-items: center; max-width: 46rem; }
.axis { position: relative; height: 0.95rem; background: linear-gradient(var(--line), var(--line)) 50% / 1px 100% no-repeat; }
.axis i { position: absolute; top: 0; height: 100%; }
.plus { background: var(--second); } .minus { background: var(--first); } .none { background: var(--grey); }
.wide { overflow-x: auto; } .wide table { overflow-wrap: normal; }
.heat { width: auto; font-size: 0.75rem; border-collapse: separate; border-spacing: 1px; }
.heat th, .heat td { border: 0; padding: 0; }
.heat tbody th { font-weight: 400; text-align: right; padding-right: 0.6rem; white-space: nowrap; vertical-align: middle; }
.heat td { width: 2.05rem; min-width: 2.05rem; height: 1.7rem; text-align: center; vertical-align: middle; }
.heat tfoot th { vertical-align: top; text-align: center; height: 10.5rem; }
.heat tfoot span { writing-mode: vertical-rl; transform: rotate(180deg); display: inline-block; white-space: nowrap;
  max-height: 10.5rem; padding-bottom: 0.4rem; }
details { margin-top: 0.6rem; } summary { cursor: pointer; font-weight: 600; padding: 0.3rem 0; }
code { font: 0.82rem ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; color: var(--muted); }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: 1rem; }
@media print {
  @page { size: A4; margin: 14mm 13mm; }
  body { padding: 0; max-width: none; font-size: 9.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3 { break-after: avoid; } tr, .column, .outcome { break-inside: avoid; }
  .columns { grid-template-columns: 1fr 1fr 1fr; gap: 1rem 1.4rem; } .wide { overflow: visible; }
  .heat { font-size: 6pt; } .heat td { width: 1.45rem; min-width: 1.45rem; height: 1.2rem; }
}
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{{ outcome }}: {{ source.name }}, the data of {{ title }}</title>
<style>{{ style|safe }}{% for one in classes %}
.class-{{ loop.index0 }} { fill: {{ one.colour }}; background: {{ one.colour }}; }{% endfor %}</style>
</head>
<body>
<header class="outcome {{ mood }}">
<p class="what">{{ title }} <span>· data docs</span></p>
<h1>{{ outcome }}</h1>
<p class="sentence">{{ sentence }}</p>
<dl class="source">
<div><dt>File</dt><dd>{{ source.name }}</dd></div>
<div><dt>SHA-256</dt><dd><code>{{ source.sha256 }}</code></dd></div>
<div><dt>Looked at</dt><dd>{{ source.day }}</dd></div>
{% for one in classes %}
<div><dt>{{ one.name }}</dt><dd>{{ one.rows|percent(profile.rows) }} of the rows, {{ one.rows|count }} of {{ profile.rows|count }}</dd></div>
{% else %}
<div><dt>{{ target.positive }}</dt><dd>{{ profile.positives|percent(profile.rows) }} of the rows, {{ profile.positives|count }} of {{ profile.rows|count }}</dd></div>
{% endfor %}
</dl>
</header>
<main>
{% if report.findings %}
<section id="findings">
<h2>What was found</h2>
<div class="wide"><table>
<thead><tr><th>Column</th><th>Rule</th><th>Severity</th><th class="n">Rows</th><th class="n">Share</th><th>Wanted</th></tr></thead>
<tbody>
{% for f in report.findings %}
<tr><th scope="row">{{ f.column or "(table)" }}</th><td>{{ f.rule }}</td><td class="{{ f.severity }}">{{ f.severity }}</td>
<td class="n">{{ f.count|count }}</td><td class="n">{{ f|share_of }}</td><td>{{ f|wanted }}</td></tr>
{% endfor %}
</tbody></table></div>
<p class="note">Critical findings refuse the table; warnings do not stop. The rows themselves are shown by
<code>sluice validate</code> on the terminal, and nowhere else.</p>
</section>
{% endif %}
<section id="profile">
<h2>The columns</h2>
{% if classes %}
<p class="lead">{{ profile.rows|count }} rows of {{ classes|length }} classes. Each bar counts rows, split by class; beside the bar of a
value stands the most frequent class of its rows.</p>
<p class="key">{% for one in classes %}<span><i class="class-{{ loop.index0 }}"></i>{{ one.name }}</span>{% endfor %}
{% else %}
<p class="lead">{{ profile.rows|count }} rows, {{ profile.positives|count }} of them
{{ target.positive }}{% if number %}, the median of {{ number }}{% endif %} ({{ profile.positives|percent(profile.rows) }}). Each bar counts rows, split by outcome; beside or below it stands
which share of them is {{ target.positive }}.</p>
<p class="key"><span><i class="left"></i>{{ target.positive }}</span><span><i class="stayed"></i>{{ target.negative }}</span>
{% endif %}
<span><i class="untold"></i>fewer than {{ few }} rows: not told</span></p>
<div class="columns">
{% for c in profile.columns %}
<div class="column">
<h3>{{ c.column.name }}<small>{{ c.column.role if c.column.role != "feature" else "" }}</small></h3>
<p class="note">{{ c|kind }}</p>
{% if c.bars and c.column.numeric %}
<svg class="chart" viewBox="0 0 {{ c.bars|length * 10 }} 100" preserveAspectRatio="none" role="img"
 aria-label="Histogram of {{ c.column.name }}">
{% for bar in c.bars %}
<g><title>{{ bar|spoken }}</title>
{% for part in bar|parts(c) %}<rect class="{{ part.sort }}" x="{{ loop_x(c, bar) }}" width="8.6" y="{{ part.y }}" height="{{ part.height }}"/>{% endfor %}
</g>
{% endfor %}
</svg>
<p class="ends"><span>{{ c.bars[0].label }}</span><span>{{ c.bars[-1].label }}</span></p>
{% if c.column.role != "target" and profile.rows and not classes %}
<svg class="chart shares" viewBox="0 0 {{ c.bars|length * 10 }} 100" preserveAspectRatio="none" role="img"
 aria-label="Share of {{ target.positive }} in each bar of {{ c.column.name }}">
<rect class="all" x="0" width="{{ c.bars|length * 10 }}" y="{{ middle }}" height="1.5"/>
{% for bar in c.bars %}{% if bar|tick %}<g><title>{{ bar|spoken }}</title><rect class="tick" x="{{ loop_x(c, bar) }}" width="8.6" y="{{ bar|tick }}" height="8"/></g>{% endif %}{% endfor %}
</svg>
<p class="ends"><span>{{ target.positive }} by bar: {{ c|spread }}</span><span>line: all, {{ profile.positives|percent(profile.rows) }}</span></p>
{% endif %}
{% elif c.bars %}
<div class="values">
<small>Value</small><small></small><small>Rows</small><small>{{ "Most frequent" if classes else target.positive }}</small>
{% for bar in c.bars %}
<span>{{ bar.label }}</span>
<span class="bar" title="{{ bar|spoken }}">{% for part in bar|parts(c) %}<i class="{{ part.sort }}" style="width:{{ part.height }}%"></i>{% endfor %}</span>
<b>{{ bar.count|percent(profile.rows) }}</b><b>{{ bar|mostly if classes else bar|positives_in }}</b>
{% endfor %}
</div>
{% endif %}
<p class="note facts">{{ c|facts }}{% if c.missing %} <span class="{{ 'alert' if c.column.missing == 'refuse' else '' }}">
{{ c.missing|count }} empty.</span>{% endif %}{% if c.refused %} <span class="alert">{{ c.refused|count }} not allowed.</span>{% endif %}</p>
</div>
{% endfor %}
</div>
</section>
<section id="links">
<h2>What goes with the outcome</h2>
{% if classes %}
<p class="lead">How strongly each column goes with the class, one at a time, from 0 to 1: the correlation ratio of the ranks where the
values have an order, Cramér's V where they have none.</p>
{% elif number %}
<p class="lead">How strongly each column goes with {{ number }}, one at a time: Spearman's rank correlation where the values have an order
(right: the more of it, the higher), the correlation ratio of the ranks, without a direction, where they have none.</p>
{% else %}
<p class="lead">How strongly each column goes with {{ target.positive }}, one at a time: Spearman's rank correlation where the
values have an order (right: more of it, more {{ target.positive }}), Cramér's V, without a direction, where they have none.</p>
{% endif %}
<div class="links">
{% for link in profile.links %}
<span>{{ link.name }}</span><span class="axis"><i class="{{ link|direction }}" style="{{ link|place(widest) }}"></i></span>
<span class="n">{{ link|strength }}</span>
{% endfor %}
</div>
</section>
<section id="correlations">
<h2>What goes together</h2>
<p class="lead">Spearman's rank correlation between the columns that have an order, from -1 to 1. Hints at copies of a column and at
a column that tells the outcome.</p>
<div class="wide"><table class="heat">
<tbody>
{% for row in heat %}
<tr><th scope="row">{{ row.name }}</th>{% for cell in row.cells %}<td style="{{ cell.style }}" title="{{ cell.title }}">{{ cell.text }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
<tfoot><tr><th></th>{% for row in heat %}<th><span>{{ row.name }}</span></th>{% endfor %}</tr></tfoot>
</table></div>
</section>
<section id="checks">
<h2>Every check</h2>
<p class="lead">All of them follow from the contract of the model, and are judged by Great Expectations.</p>
<details><summary>{{ report.checks|length }} checks</summary>
<div class="wide"><table>
<thead><tr><th>Column</th><th>Rules out</th><th>Expectation</th><th class="n">Rows</th><th>Result</th></tr></thead>
<tbody>
{% for check in report.checks %}
<tr><th scope="row">{{ check.column or "(table)" }}</th><td>{{ check.rule }}</td><td>{% if check.expectation %}<code>{{ check.expectation }}</code>{% else %}the day of the check{% endif %}</td>
<td class="n">{{ check.count|count }}</td>
<td class="{{ 'passed' if check.passed else check.severity }}">{{ "passed" if check.passed else check.severity }}</td></tr>
{% endfor %}
</tbody></table></div>
</details>
</section>
</main>
<footer><p>{{ source.name }}, SHA-256 <code>{{ source.sha256 }}</code>, looked at on {{ source.day }}.</p>Counts and histograms only: no row and no id is on this page.</footer>
</body>
</html>
"""
