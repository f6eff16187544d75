"""The look as named tokens, light and dark; the stylesheet and Gradio's own variables both speak in these names."""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")
MONO = ("ui-monospace", "SF Mono", "Consolas", "monospace")

# token: light, dark
TOKENS = {
    "paper": ("#FAFAF7", "#15171A"),
    "surface": ("#FFFFFF", "#1C1F23"),
    "sunk": ("#F3F4F0", "#121417"),
    "ink": ("#1D2228", "#E6E8EA"),
    "quiet": ("#5E6873", "#9AA4AE"),
    "line": ("#E2E4DF", "#2C3137"),
    "edge": ("#C9CDC6", "#3D444C"),
    "accent": ("#0B7A75", "#3FBFB5"),
    "accent-strong": ("#09635F", "#5CD0C7"),
    "accent-soft": ("#E3F1EF", "#163331"),
    "on-accent": ("#FFFFFF", "#0C1413"),
    "running": ("#2563EB", "#7AA5FF"),
    "finished": ("#0B7A75", "#3FBFB5"),
    "stopped": ("#8A6D1B", "#D3B04A"),
    "failed": ("#B42318", "#FF8A7E"),
    "failed-soft": ("#FBECEA", "#3A1D1A"),
    "lost": ("#6B7280", "#9CA3AF"),
    "series-1": ("#0072B2", "#56B4E9"),
    "series-2": ("#D55E00", "#E69F00"),
    "series-3": ("#009E73", "#2CC79B"),
    "series-4": ("#B5558D", "#CC79A7"),
}

# Gradio's variable: our token
_GRADIO = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "quiet",
    "background_fill_primary": "surface",
    "background_fill_secondary": "sunk",
    "block_background_fill": "surface",
    "block_border_color": "line",
    "block_label_text_color": "quiet",
    "block_label_background_fill": "surface",
    "block_title_text_color": "ink",
    "block_info_text_color": "quiet",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent_soft": "accent-soft",
    "panel_background_fill": "surface",
    "panel_border_color": "line",
    "input_background_fill": "surface",
    "input_background_fill_focus": "surface",
    "input_border_color": "edge",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "quiet",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent-strong",
    "button_primary_text_color": "on-accent",
    "button_primary_text_color_hover": "on-accent",
    "button_primary_border_color": "accent",
    "button_primary_border_color_hover": "accent-strong",
    "button_secondary_background_fill": "surface",
    "button_secondary_background_fill_hover": "sunk",
    "button_secondary_text_color": "ink",
    "button_secondary_text_color_hover": "ink",
    "button_secondary_border_color": "edge",
    "button_secondary_border_color_hover": "quiet",
    "button_cancel_background_fill": "surface",
    "button_cancel_background_fill_hover": "failed-soft",
    "button_cancel_text_color": "failed",
    "button_cancel_text_color_hover": "failed",
    "button_cancel_border_color": "failed",
    "button_cancel_border_color_hover": "failed",
    "checkbox_background_color": "surface",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "edge",
    "checkbox_border_color_selected": "accent",
    "checkbox_border_color_focus": "accent",
    "checkbox_label_background_fill": "surface",
    "checkbox_label_background_fill_selected": "accent-soft",
    "checkbox_label_text_color": "ink",
    "checkbox_label_border_color": "line",
    "table_text_color": "ink",
    "link_text_color": "accent",
    "link_text_color_hover": "accent-strong",
    "loader_color": "accent",
    "slider_color": "accent",
}
_PLAIN = {
    "block_shadow": "none",
    "block_border_width": "0px",
    "block_padding": "0px",
    "block_radius": "8px",
    "block_label_border_width": "0px",
    "block_title_text_weight": "500",
    "block_title_text_size": "13px",
    "block_info_text_size": "13px",
    "container_radius": "8px",
    "form_gap_width": "0px",
    "layout_gap": "16px",
    "input_border_width": "1px",
    "input_radius": "8px",
    "input_shadow": "none",
    "input_shadow_focus": "none",
    "input_padding": "8px 10px",
    "input_text_size": "15px",
    "button_border_width": "1px",
    "button_primary_shadow": "none",
    "button_primary_shadow_hover": "none",
    "button_primary_shadow_active": "none",
    "button_secondary_shadow": "none",
    "button_secondary_shadow_hover": "none",
    "button_secondary_shadow_active": "none",
    "button_cancel_shadow": "none",
    "button_cancel_shadow_hover": "none",
    "button_cancel_shadow_active": "none",
    "button_large_radius": "8px",
    "button_medium_radius": "8px",
    "button_small_radius": "8px",
    "button_large_padding": "10px 20px",
    "button_small_padding": "5px 12px",
    "button_medium_padding": "7px 14px",
    "button_large_text_weight": "600",
    "button_small_text_weight": "500",
    "button_medium_text_weight": "500",
    "button_large_text_size": "15px",
    "button_small_text_size": "13px",
    "button_medium_text_size": "14px",
    "section_header_text_weight": "600",
    "shadow_drop": "none",
    "shadow_drop_lg": "0 8px 24px rgba(0,0,0,.16)",
    "shadow_spread": "0px",
    "checkbox_label_shadow": "none",
    "checkbox_shadow": "none",
}


def theme() -> gr.themes.Base:
    """Gradio's theme in our tokens; no font, picture or script from elsewhere."""
    named = {name: f"var(--{token})" for name, token in _GRADIO.items()}
    dark = {f"{name}_dark": value for name, value in named.items()}
    base = gr.themes.Base(font=SANS, font_mono=MONO, text_size="md", radius_size="md", spacing_size="md")
    accepted = set(base.set.__code__.co_varnames)
    wanted = named | dark | _PLAIN | {f"{name}_dark": _PLAIN[name] for name in ("input_shadow", "block_shadow")}
    return base.set(**{name: value for name, value in wanted.items() if name in accepted})


def stylesheet() -> str:
    """The tokens as CSS variables of the light and the dark page."""
    light, dark = ("".join(f"--{name}:{pair[side]};" for name, pair in TOKENS.items()) for side in (0, 1))
    return f":root{{{light}color-scheme:light}}\n.dark{{{dark}color-scheme:dark}}\n"
