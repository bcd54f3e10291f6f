//! Requests as they are written on the command line.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::Args;

use crate::error::CliError;

/// The parts of a request beside method and path.
#[derive(Debug, Clone, Args)]
pub(crate) struct Parts {
    /// A header; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME:VALUE")]
    headers: Vec<String>,
    /// The body, as text
    #[arg(long = "data", value_name = "TEXT", conflicts_with = "data_file")]
    data: Option<String>,
    /// The body, from a file; - is standard input
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
}

impl Parts {
    /// The headers, as pairs.
    pub(crate) fn headers(&self) -> Result<Vec<(String, String)>, CliError> {
        self.headers
            .iter()
            .map(|header| {
                let (name, value) = header
                    .split_once(':')
                    .ok_or_else(|| CliError::BadRequest { text: header.clone(), problem: "a header is NAME:VALUE" })?;
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            })
            .collect()
    }

    /// The body.
    pub(crate) fn body(&self) -> Result<Vec<u8>, CliError> {
        match (&self.data, &self.data_file) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(path)) if path.as_os_str() == "-" => {
                let mut body = Vec::new();
                io::stdin().read_to_end(&mut body).map_err(|source| CliError::read("standard input", source))?;
                Ok(body)
            }
            (None, Some(path)) => fs::read(path).map_err(|source| CliError::read(path, source)),
            (None, None) => Ok(Vec::new()),
        }
    }
}

/// Method, path and query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Target {
    /// Of a method and a path with an optional query.
    pub(crate) fn new(method: &str, path_and_query: &str) -> Result<Self, CliError> {
        let problem = if method.is_empty() || method.starts_with('/') {
            Some("the method comes first")
        } else if !path_and_query.starts_with('/') {
            Some("a path begins with /")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(CliError::BadRequest { text: format!("{method} {path_and_query}").trim().to_owned(), problem });
        }
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        Ok(Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned() })
    }

    /// Of one text, as in `GET /hello?name=ada`.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let (method, path) = text.trim().split_once(' ').unwrap_or((text, ""));
        Self::new(method, path.trim())
    }
}

/// A plugin's file, as an absolute path.
pub(crate) fn plugin(path: &Path) -> Result<PathBuf, CliError> {
    if !path.is_file() {
        return Err(CliError::NoPlugin { path: path.into() });
    }
    std::path::absolute(path).map_err(|source| CliError::read(path, source))
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_is_method_path_and_query() {
        let target = Target::parse("POST /a/b?c=d?e").unwrap();
        assert_eq!((target.method.as_str(), target.path.as_str(), target.query.as_str()), ("POST", "/a/b", "c=d?e"));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, part) in [("/hello", "method comes first"), ("GET", "begins with /"), ("GET hello", "begins with /")]
        {
            let said = Target::parse(text).unwrap_err().to_string();
            assert!(said.contains(part), "{said}");
        }
    }
}
