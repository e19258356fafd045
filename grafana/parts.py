"""What do the dashboards share? The data source, queries, panels, links and annotations.

Every replica of goldwatch exports the same values, so each query begins with ``max by``. Only goldwatch's own metrics
are used: the recording rules need not be loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    DataSourceRef,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
    VariableHide,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
FLEET, TARGET = "goldwatch-fleet", "goldwatch-target"
GREEN, ORANGE, RED, BLUE, GREY = "green", "orange", "red", "blue", "#8e8e8e"
WIDTH = 24

Query = tuple[str, str]
"""A PromQL expression, and the legend of its series."""


def start(uid: str, title: str, description: str) -> dashboard.Dashboard:
    """An empty dashboard with the data source as its first variable."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["goldwatch"])
        .time("now-7d", "now")
        .timezone("browser")
        .refresh("1m")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            choice("goldwatch_url", "goldwatch", "label_values(goldwatch_web_info, url)").hide(
                VariableHide.HIDE_VARIABLE
            )
        )
    )


def choice(name: str, label: str, query: str) -> dashboard.QueryVariable:
    """A variable whose values Prometheus knows."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def window() -> dashboard.CustomVariable:
    """Over how long counters are summed: runs are far apart, so the width of a pixel tells nothing."""
    return dashboard.CustomVariable("window").label("Summed over").values("1d,1h,6h,7d,30d")


def link(title: str, url: str, tooltip: str) -> dashboard.DashboardLink:
    """A link at the top of a dashboard."""
    return (
        dashboard.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("external link")
        .tooltip(tooltip)
        .url(url)
        .keep_time(keep_time=url.startswith("/d/"))
    )


def annotation(
    name: str, expr: str, color: str, title: str, text: str, *, at_value: bool = False
) -> dashboard.AnnotationQuery:
    """Marks on every chart. ``at_value``: the mark stands at the value, in milliseconds since 1970."""
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(enable=True)
        .icon_color(color)
        .expr(expr)
        .title_format(title)
        .text_format(text)
        .use_value_for_time(use_value_for_time=at_value)
    )


def query(expr: str, legend: str = "", *, ref: str = "A", now: bool = False) -> prometheus.Dataquery:
    """One query over the time range, or as a table of what is true ``now``."""
    asked = prometheus.Dataquery().datasource(DATASOURCE).expr(expr).legend_format(legend).ref_id(ref)
    if now:
        return asked.instant().format(PromQueryFormat.TABLE)
    return asked.range()


def refs(count: int) -> Sequence[str]:
    """``A``, ``B``, ... for a panel's queries."""
    return [chr(ord("A") + n) for n in range(count)]


def steps(*bounds: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from a value on; the first bound is None, for all below."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=color) for value, color in bounds])
    )


def words(**named: tuple[str, str]) -> ValueMapping:
    """Values shown as words: ``words(_1=("regressed", RED))``."""
    found = {
        name.lstrip("_"): ValueMappingResult(text=text, color=color, index=index)
        for index, (name, (text, color)) in enumerate(named.items())
    }
    return ValueMap(options=found)


def figure(
    title: str,
    description: str,
    expr: str,
    *,
    legend: str = "",
    unit: str = "short",
    decimals: int | None = None,
    thresholds: dashboard.ThresholdsConfig | None = None,
    mappings: Sequence[ValueMapping] = (),
    none: str | None = None,
    span: int = 4,
) -> stat.Panel:
    """One number that says how it is now. ``none`` is shown where nothing is known."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(
            prometheus.Dataquery()
            .datasource(DATASOURCE)
            .expr(expr)
            .legend_format(legend)
            .ref_id("A")
            .instant()
        )
        .unit(unit)
        .mappings(list(mappings))
        .thresholds(thresholds or steps((None, BLUE)))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(4)
        .span(span)
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.no_value(none) if none is not None else panel


def chart(
    title: str,
    description: str,
    *queries: Query,
    unit: str = "short",
    low: float | None = None,
    high: float | None = None,
    span: int = 12,
    height: int = 8,
) -> timeseries.Panel:
    """Lines over time. A value holds until the next run, so lines are steps, and gaps in scraping are not bridged."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .line_width(2)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .line_interpolation(LineInterpolation.STEP_AFTER)
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        .height(height)
        .span(span)
    )
    for ref, (expr, legend) in zip(refs(len(queries)), queries, strict=True):
        panel = panel.with_target(query(expr, legend, ref=ref))
    if low is not None:
        panel = panel.min(low)
    return panel if high is None else panel.max(high)


def line_at(panel: timeseries.Panel, value: float, color: str = RED) -> timeseries.Panel:
    """Draw a limit: what lies above is coloured."""
    return panel.thresholds(steps((None, "transparent"), (value, color))).thresholds_style(
        common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE_AND_AREA)
    )


def style(panel: timeseries.Panel, name: str, **custom: object) -> timeseries.Panel:
    """How one series of a chart is drawn; keys are those of Grafana's field configuration."""
    properties = [
        DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": value})
        if key == "color"
        else DynamicConfigValue(id_val=f"custom.{key}", value=value)
        for key, value in custom.items()
    ]
    return panel.override_by_name(name, properties)


def bars(
    title: str, description: str, expr: str, legend: str, *, unit: str, span: int = 12
) -> bargauge.Panel:
    """What is true now, one bar per series."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(
            prometheus.Dataquery()
            .datasource(DATASOURCE)
            .expr(expr)
            .legend_format(legend)
            .ref_id("A")
            .instant()
        )
        .unit(unit)
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .height(8)
        .span(span)
    )


def listing(
    title: str, description: str, columns: Sequence[Query], *, hide: Sequence[str] = ()
) -> table.Panel:
    """A table of what is true now. Queries are joined by common labels; the second of each pair is its heading."""
    panel = table.Panel().title(title).description(description).datasource(DATASOURCE).height(9).span(WIDTH)
    names, order = {}, {}
    for position, (ref, (expr, heading)) in enumerate(zip(refs(len(columns)), columns, strict=True)):
        panel = panel.with_target(query(expr, ref=ref, now=True))
        value = f"Value #{ref}" if len(columns) > 1 else "Value"
        names[value], order[value] = heading, position + 10
    organized = {
        "excludeByName": dict.fromkeys(("Time", *hide), True),
        "renameByName": names,
        "indexByName": {"target": 0, "severity": 1, **order},
    }
    return panel.with_transformation(DataTransformerConfig(id_val="merge", options={})).with_transformation(
        DataTransformerConfig(id_val="organize", options=organized)
    )


def column(panel: table.Panel, name: str, **properties: object) -> table.Panel:
    """How one column of a table is shown; ``__`` stands for a dot in the keys of Grafana's field configuration."""
    values = [
        DynamicConfigValue(id_val=key.replace("__", "."), value=value) for key, value in properties.items()
    ]
    return panel.override_by_name(name, values)
