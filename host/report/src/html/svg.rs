//! Plots, as SVG within the page: drawn by classes, so that light and dark are one drawing, and
//! with a title on everything, so that nothing is told by colour or length alone. Places on an axis
//! are rounded to a tenth of a unit, from arithmetic that is the same on every machine.

use super::escape::{bare, class, minus, text};
use crate::number::{approximate, axis, decade, grouped, percent};
use crate::outline::{Class, Plot};
use std::fmt::Write as _;

/// A drawing's own units; it is shown as wide as there is room.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 210.0;

const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 26.0;

/// Characters from which on a label needs room on both sides.
const LONG_LABEL: usize = 8;

/// A bar divided by counts.
pub(super) fn stacked(parts: &[(Class, String, u64)]) -> String {
    let all: u64 = parts.iter().map(|part| part.2).sum();
    if all == 0 {
        return String::new();
    }
    let mut out = "<svg class=\"stacked\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" \
                   role=\"img\">"
        .to_owned();
    // The smallest part is still to be seen, at the cost of the largest.
    let width = |count: u64| match count {
        0 => 0.0,
        count => (count as f64 / all as f64 * 100.0).max(0.8),
    };
    let sum: f64 = parts.iter().map(|part| width(part.2)).sum();
    let mut x = 0.0;
    for (of, name, count) in parts.iter().filter(|part| part.2 > 0) {
        let wide = width(*count) / sum * 100.0;
        let title = format!("{} {} ({})", grouped(*count), text(name), percent(*count, all));
        let _ = write!(
            out,
            "<rect class=\"{}\" x=\"{x:.2}\" y=\"0\" width=\"{wide:.2}\" height=\"4\">\
             <title>{title}</title></rect>",
            class(*of)
        );
        x += wide;
    }
    out + "</svg>"
}

/// How long a share is, from nothing to all.
pub(super) fn meter(part: u64, whole: u64, of: Class) -> String {
    let wide = if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 };
    format!(
        "<svg class=\"meter\" viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" role=\"img\">\
         <title>{}</title><rect class=\"rest\" width=\"100\" height=\"6\"/>\
         <rect class=\"{}\" width=\"{wide:.2}\" height=\"6\"/></svg>",
        percent(part, whole),
        class(of)
    )
}

pub(super) fn plot(of: &Plot) -> String {
    let steps = of.steps.iter().flat_map(|(_, points)| points).map(|point| point.1);
    let values = of.bars.iter().map(|bar| bar.value).chain(steps);
    let (low, high) = values.fold((0.0f64, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
    if of.bars.is_empty() && of.steps.is_none() {
        return String::new();
    }
    let (from, to, step) = span(low, high);
    let mut drawing = Drawing { out: String::new(), from, to };
    drawing.grid(&of.label, step);
    for bar in &of.bars {
        drawing.bar(class(bar.class), bar.span, bar.value, &bare(&bar.title));
    }
    if let Some((way, points)) = &of.steps {
        drawing.steps(class(*way), points);
    }
    if let Some(share) = of.middle {
        let x = Drawing::x(share);
        drawing.line("zero-line", (x, TOP), (x, HEIGHT - BOTTOM));
    }
    of.ticks.iter().for_each(|(share, label)| drawing.tick(*share, label));
    drawing.out + "</svg>\n"
}

/// A plot while it is drawn; the vertical axis is from `from` to `to`.
#[derive(Debug)]
struct Drawing {
    out: String,
    from: f64,
    to: f64,
}

impl Drawing {
    /// The vertical axis, with a line at each step. The label is for those who do not see it.
    fn grid(&mut self, label: &str, step: f64) {
        self.out = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{}\">\n",
            text(label)
        );
        let lines = ((self.to - self.from) / step).round() as i32;
        for line in 0..=lines {
            let value = self.from + f64::from(line) * step;
            let y = self.y(value);
            let class = if value == 0.0 { "zero-line" } else { "grid" };
            self.line(class, (LEFT, y), (WIDTH - RIGHT, y));
            self.text("end", (LEFT - 6.0, y + 4.0), &axis(value));
        }
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let _ = write!(
            self.out,
            "<line class=\"{class}\" x1=\"{x1:.1}\" x2=\"{x2:.1}\" y1=\"{y1:.1}\" y2=\"{y2:.1}\"/>"
        );
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), label: &str) {
        let label = minus(label);
        let _ =
            writeln!(self.out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>");
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.from) / (self.to - self.from);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }

    fn x(share: f64) -> f64 {
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    /// A bar from zero to a value, between two shares of the width; its title is escaped.
    fn bar(&mut self, class: &str, (from, to): (f64, f64), value: f64, title: &str) {
        let (x, wide) = (Self::x(from), (Self::x(to) - Self::x(from)).max(1.2));
        let (zero, y) = (self.y(0.0), self.y(value));
        let high = (zero - y).abs().max(1.2);
        let _ = writeln!(
            self.out,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{wide:.1}\" \
             height=\"{high:.1}\"><title>{}</title></rect>",
            if value < 0.0 { zero } else { zero - high },
            title,
        );
    }

    /// Steps: each value holds from its share of the width to the next.
    fn steps(&mut self, class: &str, points: &[(f64, f64)]) {
        let Some(first) = points.first() else { return };
        let zero = self.y(0.0);
        let mut line = format!("M{:.1} {zero:.1}", Self::x(first.0));
        for (share, value) in points {
            let _ = write!(line, "H{:.1}V{:.1}", Self::x(*share), self.y(*value));
        }
        let _ = write!(line, "H{:.1}", Self::x(1.0));
        let _ = writeln!(
            self.out,
            "<path class=\"area {class}\" d=\"{line}V{zero:.1}Z\"/>\
             <path class=\"line {class}\" d=\"{line}\"/>"
        );
    }

    fn tick(&mut self, share: f64, label: &str) {
        let x = Self::x(share);
        // The first and the last stay within the drawing.
        let is_long = label.chars().count() > LONG_LABEL;
        let class = match share {
            0.9.. if is_long => "end",
            0.98.. => "end",
            ..0.1 if is_long => "start",
            _ => "middle",
        };
        let (top, below) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 4.0);
        self.line("grid", (x, top), (x, below));
        self.text(class, (x, HEIGHT - 8.0), label);
    }
}

/// An axis that holds two values and zero, with lines at round numbers: begin, end, step.
fn span(from: f64, to: f64) -> (f64, f64, f64) {
    let wide = to - from;
    let Some((_, exponent)) = decade(wide) else { return (0.0, 1.0, 1.0) };
    let power = approximate(&format!("1e{exponent}"));
    if power == 0.0 || !wide.is_finite() {
        return (from, to.max(from + f64::MIN_POSITIVE), (to - from).max(f64::MIN_POSITIVE));
    }
    let steps = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| wide / step <= 4.5).unwrap_or(power);
    // Whole steps, so that one of the lines is zero itself.
    ((from / step).floor() * step, (to / step).ceil() * step, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values_in_round_steps() {
        assert_eq!(span(0.0, 312.0), (0.0, 400.0, 100.0));
        assert_eq!(span(-12_345.67, 0.0), (-15_000.0, 0.0, 5_000.0));
        assert_eq!(span(0.0, 0.0), (0.0, 1.0, 1.0));
        for (from, to) in [(-1e300, 1e300), (0.0, 5e-324), (0.0, f64::MAX), (-3.0, 1e-9)] {
            let (low, high, step) = span(from, to);
            assert!(low <= from && high >= to && step > 0.0, "{low} {high} {step}");
            assert!((high - low) / step < 10.0 || !(high - low).is_finite(), "{low} {high} {step}");
        }
    }
}
