//! Standard errors and intervals as a table, and what a reader of them must know.

use mixtura::Result;
use mixtura::family::Range;
use mixtura::infer::{Errors, Stationarity};

use crate::doubt_list;
use crate::figures::{paragraphs, plain, short, to_unit};

/// Longest name of a parameter that is shown whole.
const LONGEST_NAME: usize = 40;

/// One line per parameter: estimate, standard error, interval; then the kind of point, and notes. `tables` are the parameters of a
/// model and what was derived from them.
///
/// # Errors
/// If the level is not between 0 and 1.
pub fn errors(tables: &[&Errors], point: Option<&Stationarity>, level: f64) -> Result<String> {
    let mut body = Vec::new();
    let mut scales: Vec<&str> = Vec::new();
    for made in tables {
        for (i, (interval, se)) in made.intervals(level)?.iter().zip(made.standard_errors()).enumerate() {
            let number = |x: f64| to_unit(x, se);
            let name = short(&made.names[i], LONGEST_NAME);
            body.push(vec![
                name,
                number(made.estimates[i]),
                to_unit(se, se),
                number(interval.low),
                number(interval.high),
            ]);
            let scale = made.ranges[i].scale();
            if made.ranges[i] != Range::Real && !scales.contains(&scale) {
                scales.push(scale);
            }
        }
    }
    let header = ["parameter", "estimate", "std. error", "low", "high"].map(String::from);
    let mut text = plain(&header, body, &[0]);
    let method = tables.first().map_or("", |t| t.method);
    let percent = (level * 100.0 * 1e9).round() / 1e9;
    let what = |scale: &&str| match *scale {
        "log" => "variances and standard deviations on the log scale",
        "logit" => "weights on the logit scale",
        _ => "correlations on the atanh scale",
    };
    let of: Vec<&str> = scales.iter().map(what).collect();
    let how = if of.is_empty() { String::new() } else { format!(": {}", of.join(", ")) };
    let mut lines = vec![format!("Standard errors by method {method}; Wald intervals of {percent} %{how}.")];
    lines.extend(point.map(|p| format!("The fit is {}.", p.detail)));
    text.push('\n');
    text.push_str(&paragraphs(&lines));
    let notes = tables.first().map_or(&[][..], |t| &t.notes);
    text.push_str(&doubt_list(notes));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use mixtura::data::Dense;
    use mixtura::family::gaussian::{Gaussian, Structure};
    use mixtura::infer::{Method, derived, gaussian_errors, gaussian_stationarity};
    use mixtura::model::Mixture;

    use super::errors;

    #[test]
    fn a_table_of_one_gaussian() {
        // Mean 3, variance 3.5 of four rows: standard errors √(3.5/4) = 0.935 and 3.5·√(2/4) = 2.475; of the deviation 1.871/√8 = 0.661.
        let rows = Dense::new(vec![1.0, 2.0, 3.0, 6.0], 1).unwrap();
        let model = Mixture::equal(Gaussian::new(Structure::Full, 1, vec![3.0], vec![3.5]).unwrap());
        let columns = ["height".to_owned()];
        let made = gaussian_errors(&model, &rows, &columns, Method::Louis).unwrap();
        let more = derived(&made, &model, &columns).unwrap();
        let point = gaussian_stationarity(&model, &rows, &columns).unwrap();
        let text = errors(&[&made, &more], Some(&point), 0.95).unwrap();
        let cells = |start: &str| {
            let line = text.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
            line.split_whitespace().map(str::to_owned).collect::<Vec<String>>()
        };
        // 3 ± 1.96 · 0.935, and 3.5 · exp(± 1.96 · 0.7071).
        assert_eq!(cells("mean"), ["mean[0][height]", "3.000", "0.935", "1.167", "4.833"]);
        assert_eq!(cells("covariance"), ["covariance[0][height,height]", "3.50", "2.47", "0.88", "13.99"]);
        assert_eq!(cells("sd")[..3], ["sd[0][height]", "1.871", "0.661"]);
        assert!(text.contains("Wald intervals of 95 %") && text.contains("on the log scale"), "{text}");
        assert!(text.contains("The fit is an optimum"), "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
        assert!(errors(&[&made], None, 1.0).is_err());
    }
}
