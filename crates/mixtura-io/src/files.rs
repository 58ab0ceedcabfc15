//! Names of files: globs, lists of several, and the columns that a later file shares with the first.

use std::collections::HashMap;
use std::fs;

use crate::error::{ReadError, count, quoted};
use crate::plan::Names;

/// Turns globs into the files that match, in alphabetical order; other paths stay as they are.
///
/// A path of which there is a file is that file, whatever characters it has. "-" is standard input.
///
/// # Errors
///
/// When a glob matches no file or is no valid pattern, or standard input is named twice.
pub fn expand(paths: &[String]) -> Result<Vec<String>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        if path == "-" || !path.contains(['*', '?', '[']) || fs::metadata(path).is_ok() {
            files.push(path.clone());
            continue;
        }
        let refuse = |why: &str| ReadError::Data(format!("{} {why}", quoted(path)));
        let matches = glob::glob(path)
            .map_err(|error| refuse(&format!("is no file and no valid pattern of files ({error}); correct it")))?;
        let before = files.len();
        for found in matches {
            let found = found.map_err(|error| ReadError::Io(format!("cannot search for {}: {error}", quoted(path))))?;
            if found.is_dir() {
                continue;
            }
            match found.to_str() {
                Some(name) => files.push(name.to_owned()),
                None => return Err(refuse("matches a file whose name is not UTF-8; rename it")),
            }
        }
        if files.len() == before {
            return Err(refuse("matches no file; correct the pattern"));
        }
    }
    if files.iter().filter(|file| *file == "-").count() > 1 {
        return Err(ReadError::data("standard input is named twice, but can be read only once; name it once"));
    }
    Ok(files)
}

/// The name of all files together, in messages and in the model.
pub(crate) fn together(names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        [first, .., last] => format!("{} files ({first} … {last})", names.len()),
        [] => "no file".to_owned(),
    }
}

/// A note on files that are named more than once, whose rows count as often.
pub(crate) fn repeated(files: &[String]) -> Option<String> {
    let mut seen: HashMap<_, usize> = HashMap::new();
    for file in files {
        let key = fs::canonicalize(file).unwrap_or_else(|_| file.into());
        *seen.entry(key).or_default() += 1;
    }
    let again = files.iter().find_map(|file| {
        let key = fs::canonicalize(file).unwrap_or_else(|_| file.into());
        seen.get(&key).filter(|&&times| times > 1).map(|times| (file, times))
    });
    again.map(|(file, times)| format!("{file} is named {times} times: each of its rows counts {times} times"))
}

/// Finds the columns of the table in a later file: by name, or by position where one of the two has no names.
/// `needed` says which columns the table cannot do without.
pub(crate) fn match_columns(
    first: (&str, &Names),
    later: (&str, &Names),
    needed: impl Fn(usize) -> bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Option<usize>>, ReadError> {
    let ((first_file, table), (file, names)) = (first, later);
    let n = table.names.len();
    if !names.own {
        if names.names.len() != n {
            return Err(ReadError::Data(format!(
                "{file} has {} without names where {first_file} has {n}; give all files the same columns",
                count(names.names.len(), "column")
            )));
        }
        if table.own {
            notes.push(format!("{file} has no column names: its columns are taken in the order of {first_file}"));
        }
        return Ok((0..n).map(Some).collect());
    }
    if !table.own {
        return Err(ReadError::Data(format!(
            "{file} has column names but {first_file} has none; put a file with names first"
        )));
    }
    let places: HashMap<&str, usize> = names.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let found: Vec<Option<usize>> = table.names.iter().map(|name| places.get(name.as_str()).copied()).collect();
    if let Some(missing) = (0..n).find(|&column| found[column].is_none() && needed(column)) {
        return Err(ReadError::Data(format!(
            "{file} has no column {}, which {first_file} has; give all files the same columns or name the shared ones \
             with --columns",
            quoted(&table.names[missing])
        )));
    }
    Ok(found)
}
