//! Who became whom: things of an old and a new list, paired by likeness, the closest likeness first.

/// The pairs, and those who have nobody on the other side.
pub(super) struct Pairs<'a, T> {
    pub(super) both: Vec<(&'a T, &'a T)>,
    pub(super) gone: Vec<&'a T>,
    pub(super) come: Vec<&'a T>,
}

/// Whether two things may be a pair.
type Likeness<'a, T> = &'a dyn Fn(&T, &T) -> bool;

/// Pairs two lists. Each likeness is tried on all that the ones before it left over.
pub(super) fn pair<'a, T>(old: &'a [T], new: &'a [T], likenesses: &[Likeness<'_, T>]) -> Pairs<'a, T> {
    let mut pairs = Pairs { both: Vec::new(), gone: old.iter().collect(), come: new.iter().collect() };
    for is_like in likenesses {
        let mut left = Vec::new();
        for one in pairs.gone {
            match pairs.come.iter().position(|other| is_like(one, other)) {
                Some(at) => pairs.both.push((one, pairs.come.remove(at))),
                None => left.push(one),
            }
        }
        pairs.gone = left;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_likeness_goes_first() {
        let pairs = pair(&[11, 21, 30], &[20, 11, 45], &[&|a, b| a == b, &|a, b| a / 10 == b / 10]);
        assert_eq!(pairs.both, [(&11, &11), (&21, &20)]);
        assert_eq!((pairs.gone, pairs.come), (vec![&30], vec![&45]));
    }
}
