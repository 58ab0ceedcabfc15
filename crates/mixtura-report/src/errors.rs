//! Standard errors and intervals as a table, and what a reader of them must know.

use mixtura::family::Range;
use mixtura::infer::Answer;

use crate::doubt_list;
use crate::figures::{count, paragraphs, plain, short, to_unit};

/// Longest name of a parameter that is shown whole.
const LONGEST_NAME: usize = 36;

/// One line per parameter: estimate, standard error, interval; then how they were found, the kind of point that the fit is, and
/// notes.
pub fn errors(answer: &Answer, rows: usize) -> String {
    let found = &answer.errors;
    let mut body = Vec::new();
    let mut scales: Vec<&str> = Vec::new();
    for (i, (interval, se)) in answer.intervals.iter().zip(found.standard_errors()).enumerate() {
        let cells = [found.estimates[i], se, interval.low, interval.high].map(|x| to_unit(x, se));
        body.push([vec![short(&found.names[i], LONGEST_NAME)], cells.to_vec()].concat());
        let scale = match found.ranges[i] {
            Range::Real => continue,
            Range::Positive => "what is positive on the log scale",
            Range::Probability => "probabilities on the logit scale",
            Range::Correlation => "correlations on the atanh scale",
        };
        if !scales.contains(&scale) {
            scales.push(scale);
        }
    }
    let header = ["parameter", "estimate", "std. error", "low", "high"].map(String::from);
    let percent = (answer.level * 100.0 * 1e9).round() / 1e9;
    let how = match answer.interval {
        "wald" if scales.is_empty() => String::new(),
        "wald" => format!(": {}", scales.join(", ")),
        _ => String::new(),
    };
    let mut lines = vec![format!(
        "Standard errors {} ({}), {}; {} intervals of {percent} %{how}.",
        answer.by.words(),
        answer.by.name(),
        count(rows, "row"),
        match answer.interval {
            "bc" => "bias-corrected",
            "wald" => "Wald",
            other => other,
        },
    )];
    lines.extend(answer.point.as_ref().map(|p| format!("The fit is {}.", p.detail)));
    format!("{}\n{}{}", plain(&header, body, &[0]), paragraphs(&lines), doubt_list(&found.notes))
}

#[cfg(test)]
mod tests {
    use mixtura::data::Dense;
    use mixtura::family::gaussian::{Gaussian, Structure};
    use mixtura::fit::Control;
    use mixtura::infer::{By, Question};
    use mixtura::model::Mixture;

    use super::errors;

    #[test]
    fn a_table_of_one_gaussian() {
        // Mean 3, variance 3.5 of four rows: standard errors √(3.5/4) = 0.935 and 3.5·√(2/4) = 2.475; of the deviation 1.871/√8 = 0.661.
        let rows = Dense::new(vec![1.0, 2.0, 3.0, 6.0], 1).unwrap();
        let model = Mixture::equal(Gaussian::new(Structure::Full, 1, vec![3.0], vec![3.5]).unwrap());
        let question = Question::new(By::named("louis").unwrap());
        let answer = question.gaussian(&model, None, &rows, &["height".to_owned()], Control::default()).unwrap();
        let text = errors(&answer, 4);
        let cells = |start: &str| {
            let line = text.lines().find(|l| l.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
            line.split_whitespace().map(str::to_owned).collect::<Vec<String>>()
        };
        // 3 ± 1.96 · 0.935, and 3.5 · exp(± 1.96 · 0.7071).
        assert_eq!(cells("mean"), ["mean[0][height]", "3.000", "0.935", "1.167", "4.833"]);
        assert_eq!(cells("covariance"), ["covariance[0][height,height]", "3.50", "2.47", "0.88", "13.99"]);
        assert_eq!(cells("sd")[..3], ["sd[0][height]", "1.871", "0.661"]);
        assert_eq!(cells("weight"), ["weight[0]", "1.00", "0", "1.00", "1.00"]);
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Wald intervals of 95 %") && words.contains("on the log scale"), "{text}");
        assert!(text.contains("The fit is an optimum"), "{text}");
        assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    }
}
