//! Which rows of a trace wait for which: the conversations in it.
//!
//! It holds no names. Invariant: a row waits for a row before it; empty where none waits.

use infermeter_core::request::Turn;

/// No row.
const NONE: u32 = u32::MAX;

/// Parents, children and delays of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Parent of each row; empty where no row has one.
    parents: Vec<u32>,
    /// Rows with a parent, by parent, then ascending.
    children: Vec<u32>,
    /// Delay of each row after its parent's answer, -1 where none is told; empty where none is.
    delays: Vec<i64>,
    /// Further rows that a row waits for: (row, further row), ascending.
    joins: Vec<(u32, u32)>,
    /// The same by the further row.
    joined: Vec<(u32, u32)>,
}

impl Links {
    /// Adds row `row`, the next one; `parent` is a row before it. [`Links::index`] ends it.
    pub fn push(&mut self, row: usize, parent: Option<u32>, delay_ns: Option<i64>) {
        let Some(parent) = parent.filter(|parent| (*parent as usize) < row) else {
            if !self.parents.is_empty() {
                self.parents.push(NONE);
            }
            if !self.delays.is_empty() {
                self.delays.push(-1);
            }
            return;
        };
        self.parents.resize(row, NONE);
        self.parents.push(parent);
        if delay_ns.is_some() || !self.delays.is_empty() {
            self.delays.resize(row, -1);
            self.delays.push(delay_ns.map_or(-1, |delay| delay.max(0)));
        }
    }

    /// Has the last row added wait for `further` as well; false where that is not a row before it in the
    /// tree of its parent. One worker sends a tree, and nobody else knows when its answers end.
    pub fn join(&mut self, row: usize, further: u32) -> bool {
        let parent = self.parent(row);
        let fits = (further as usize) < row
            && parent.is_some_and(|parent| {
                parent != further as usize && self.root(parent) == self.root(further as usize)
            });
        let own = self.joins.iter().rev();
        let mut own = own.take_while(|(joining, _)| *joining as usize == row);
        if fits && !own.any(|(_, known)| *known == further) {
            self.joins.push((row as u32, further));
        }
        fits
    }

    /// Forgets the delays of all rows but these, ascending.
    pub fn keep_delays(&mut self, rows: &[u32]) {
        let mut kept = rows.iter().peekable();
        for (row, delay) in self.delays.iter_mut().enumerate() {
            if kept.next_if(|kept| **kept as usize == row).is_none() {
                *delay = -1;
            }
        }
    }

    /// Sorts the children, once all rows are in.
    pub fn index(&mut self) {
        self.joins.sort_unstable();
        self.joined = self
            .joins
            .iter()
            .map(|(row, further)| (*further, *row))
            .collect();
        self.joined.sort_unstable();
        let parents = &self.parents;
        let waiting = (0..parents.len() as u32).filter(|row| parents[*row as usize] != NONE);
        self.children = waiting.collect();
        self.children
            .sort_by_key(|row| (parents[*row as usize], *row));
    }

    /// Keeps the rows with these numbers, in their order; a row whose parent is not kept before it
    /// waits for none.
    pub fn select(&mut self, numbers: &[usize]) {
        let old = std::mem::take(self);
        if old.parents.is_empty() {
            return;
        }
        let mut place = vec![NONE; old.parents.len()];
        for (new, number) in numbers.iter().enumerate() {
            let parent = old.parent(*number).map(|parent| place[parent]);
            let parent = parent.filter(|parent| *parent != NONE);
            self.push(new, parent, old.delay_ns(*number));
            place[*number] = new as u32;
            for further in old.further(*number) {
                let further = place[further as usize];
                if further != NONE {
                    self.join(new, further);
                }
            }
        }
        self.index();
    }

    /// The row that `row` waits for.
    pub fn parent(&self, row: usize) -> Option<usize> {
        let parent = self.parents.get(row).filter(|parent| **parent != NONE)?;
        Some(*parent as usize)
    }

    /// The rows that wait for `row`, ascending.
    pub fn children(&self, row: usize) -> &[u32] {
        let parent = |child: &u32| self.parents[*child as usize] as usize;
        let start = self.children.partition_point(|child| parent(child) < row);
        let count = self.children[start..].partition_point(|child| parent(child) == row);
        &self.children[start..start + count]
    }

    /// The rows that `row` waits for beside its parent, ascending.
    pub fn further(&self, row: usize) -> impl Iterator<Item = u32> {
        let start = self
            .joins
            .partition_point(|(child, _)| (*child as usize) < row);
        let own = self.joins[start..].iter();
        own.take_while(move |(child, _)| *child as usize == row)
            .map(|(_, further)| *further)
    }

    /// The rows that wait for `row` beside their parent, ascending.
    pub fn joining(&self, row: usize) -> impl Iterator<Item = u32> {
        let start = self
            .joined
            .partition_point(|(further, _)| (*further as usize) < row);
        let own = self.joined[start..].iter();
        own.take_while(move |(further, _)| *further as usize == row)
            .map(|(_, child)| *child)
    }

    /// The first row of a row's tree.
    fn root(&self, row: usize) -> usize {
        let mut root = row;
        while let Some(parent) = self.parent(root) {
            root = parent;
        }
        root
    }

    /// Delay after the parent's answer, nanoseconds.
    pub fn delay_ns(&self, row: usize) -> Option<i64> {
        self.delays.get(row).copied().filter(|delay| *delay >= 0)
    }

    /// The conversation of a row is named by its first row, and the row's number in it is that of
    /// the answers it waits for, one after the other.
    pub fn turn(&self, row: usize) -> Option<Turn> {
        if self.parents.is_empty() {
            return None;
        }
        let (mut root, mut number) = (row, 0);
        while let Some(parent) = self.parent(root) {
            (root, number) = (parent, number + 1);
        }
        Some(Turn {
            session: root as u64,
            number,
        })
    }

    /// Number of rows that wait for another one.
    pub fn rows_waiting(&self) -> u64 {
        self.children.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn links(parents: &[Option<u32>]) -> Links {
        let mut links = Links::default();
        for (row, parent) in parents.iter().enumerate() {
            let delay = (row % 2 == 1).then_some(row as i64);
            links.push(row, *parent, delay);
        }
        links.index();
        links
    }

    #[test]
    fn a_conversation_may_branch() {
        let links = links(&[None, Some(0), None, Some(0), Some(1), None]);
        assert_eq!(links.children(0), [1, 3]);
        assert_eq!(links.children(1), [4]);
        assert!(links.children(2).is_empty() && links.children(5).is_empty());
        let turn = |session, number| Some(Turn { session, number });
        assert_eq!(links.turn(4), turn(0, 2));
        assert_eq!(links.turn(3), turn(0, 1));
        assert_eq!(links.turn(5), turn(5, 0));
        assert_eq!((links.delay_ns(1), links.delay_ns(4)), (Some(1), None));
        assert_eq!(links.rows_waiting(), 3);
    }

    #[test]
    fn a_row_may_wait_for_several_of_its_tree() {
        let mut links = Links::default();
        for (row, parent) in [None, Some(0), Some(0), Some(1), None, Some(3)]
            .into_iter()
            .enumerate()
        {
            links.push(row, parent, None);
            match row {
                3 => assert!(links.join(3, 2)),
                // Another tree's, a row to come, its own parent.
                5 => assert!(!links.join(5, 4) && !links.join(5, 5) && !links.join(5, 3)),
                _ => {}
            }
        }
        links.index();
        assert_eq!(links.further(3).collect::<Vec<_>>(), [2]);
        assert_eq!(links.joining(2).collect::<Vec<_>>(), [3]);
        assert_eq!((links.joining(1).count(), links.further(5).count()), (0, 0));
        assert_eq!(links.joins, [(3, 2)]);
        links.select(&[0, 1, 3]);
        assert!(links.parent(2) == Some(1) && links.joins.is_empty());
    }

    #[test]
    fn without_parents_nothing_is_kept() {
        let links = links(&[None, None]);
        assert_eq!(links, Links::default());
        assert_eq!((links.turn(1), links.children(0).len()), (None, 0));
    }

    #[test]
    fn selected_rows_keep_their_parents() {
        let mut links = links(&[None, Some(0), None, Some(0), Some(1), None]);
        links.select(&[0, 3, 4]);
        assert_eq!((links.parent(1), links.parent(2)), (Some(0), None));
        assert_eq!(links.delay_ns(1), Some(3));
        links.select(&[1, 2]);
        assert_eq!(links, Links::default());
    }

    proptest! {
        #[test]
        fn children_and_parents_agree(picks in vec((any::<bool>(), any::<u32>()), 1..60)) {
            let parent = |(row, (has, pick)): (usize, &(bool, u32))| {
                (*has && row > 0).then(|| pick % row as u32)
            };
            let parents: Vec<Option<u32>> = picks.iter().enumerate().map(parent).collect();
            let links = links(&parents);
            for (row, parent) in parents.iter().enumerate() {
                prop_assert_eq!(links.parent(row), parent.map(|p| p as usize));
                let children = links.children(row);
                prop_assert!(children.iter().all(|c| parents[*c as usize] == Some(row as u32)));
            }
            let all: usize = (0..parents.len()).map(|row| links.children(row).len()).sum();
            prop_assert_eq!(all as u64, links.rows_waiting());
        }
    }
}
