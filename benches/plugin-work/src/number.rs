//! Numbers in paths.

/// The decimal number that `digits` are.
#[inline]
#[must_use]
pub fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |n, digit| {
        let digit = u32::from(digit.checked_sub(b'0')?);
        if digit > 9 {
            return None;
        }
        n.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_that_fit_are_a_number() {
        for (text, expected) in [("0", Some(0)), ("0042", Some(42)), ("4294967295", Some(u32::MAX))] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
        for text in ["", "x", "1x", "-1", "4294967296", " 1"] {
            assert_eq!(number(text.as_bytes()), None, "{text}");
        }
    }
}
