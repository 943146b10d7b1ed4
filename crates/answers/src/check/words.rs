//! Letters that make no words.
//!
//! A text of Latin letters is known by its pairs of letters: in every language written so, most pairs are among two
//! hundred; of letters drawn at random, less than a third. Other writing systems are not judged here.

/// Pairs of letters that are common in languages with Latin letters.
const COMMON: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi \
     ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un \
     lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp \
     fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr \
     cl du ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds sz zy cz rz wy yd yr ki za ko ek ak ka ku";

/// Pairs of a stretch that is judged: noise may begin anywhere in an answer.
const STRETCH: u32 = 100;
/// With fewer common pairs in a stretch it is no language. Of noise, 28 are common on the average and 42 at most in the
/// poorest stretch of an answer; in the translated messages of common programs, 38 languages, the poorest stretch has 53.
const LEAST_COMMON: u32 = 46;
/// Longest word: what is longer is a key or a code.
const LONGEST_WORD: usize = 20;

/// Pairs by their two letters.
const TABLE: [bool; 26 * 26] = table();

const fn table() -> [bool; 26 * 26] {
    let (bytes, mut table, mut place) = (COMMON.as_bytes(), [false; 26 * 26], 0);
    while place + 1 < bytes.len() {
        if bytes[place].is_ascii_lowercase() && bytes[place + 1].is_ascii_lowercase() {
            table[(bytes[place] - b'a') as usize * 26 + (bytes[place + 1] - b'a') as usize] = true;
            place += 1;
        }
        place += 1;
    }
    table
}

/// Its letters make no words, over a stretch at least.
pub(super) fn is_gibberish(text: &str) -> bool {
    let mut stretch = Stretch::default();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| is_word(word.as_bytes()))
        .any(|word| stretch.reads(word.as_bytes()))
}

/// Small letters behind the first one: acronyms, formulas, keys and sequences are none.
fn is_word(bytes: &[u8]) -> bool {
    let Some((first, rest)) = bytes.split_first() else {
        return false;
    };
    bytes.len() <= LONGEST_WORD
        && first.is_ascii_alphabetic()
        && rest.iter().all(u8::is_ascii_lowercase)
}

/// The last pairs.
#[derive(Default)]
struct Stretch {
    /// A bit for each, set where it is common.
    bits: u128,
    pairs: u32,
}

impl Stretch {
    /// Reads a word; whether the stretch that ends in it is noise.
    fn reads(&mut self, word: &[u8]) -> bool {
        let letter = |byte: u8| usize::from(byte.to_ascii_lowercase() - b'a');
        for pair in word.windows(2) {
            let common = TABLE[letter(pair[0]) * 26 + letter(pair[1])];
            self.bits = self.bits << 1 | u128::from(common);
            self.pairs += 1;
            let common = (self.bits & ((1 << STRETCH) - 1)).count_ones();
            if self.pairs >= STRETCH && common < LEAST_COMMON {
                return true;
            }
        }
        false
    }
}
