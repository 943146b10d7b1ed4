//! How models refuse.
//!
//! A refusal is no corruption: it is the model's own. Only its beginning is read. Invariant: an apology alone is no refusal.

/// Characters at the beginning that are read.
const READ: usize = 200;

/// Beginnings that say no, in lower case, with `'` for every apostrophe.
const BEGINNINGS: [&str; 31] = [
    "i can't help with",
    "i cannot help with",
    "i can't assist",
    "i cannot assist",
    "i can't fulfill",
    "i cannot fulfill",
    "i can't provide",
    "i cannot provide",
    "i can't create",
    "i cannot create",
    "i can't comply",
    "i cannot comply",
    "i won't be able to",
    "i'm unable to",
    "i am unable to",
    "i'm not able to",
    "i am not able to",
    "i must decline",
    "i have to decline",
    "dabei kann ich nicht helfen",
    "das kann ich nicht tun",
    "je ne peux pas",
    "je ne suis pas en mesure",
    "no puedo ayudar",
    "não posso ajudar",
    "non posso aiutar",
    "ik kan niet helpen",
    "nie mogę pomóc",
    "я не могу помочь",
    "我无法",
    "我不能",
];

/// Apologies, and what comes behind them within the beginning where they are refusals.
const APOLOGIES: [(&str, &[&str]); 22] = [
    (
        "i'm sorry",
        &["can't", "cannot", "can not", "unable", "not able", "won't"],
    ),
    (
        "i am sorry",
        &["can't", "cannot", "can not", "unable", "not able", "won't"],
    ),
    (
        "sorry",
        &[
            "i can't",
            "i cannot",
            "i'm unable",
            "i am unable",
            "i'm not able",
        ],
    ),
    ("i apologize", &["can't", "cannot", "unable", "not able"]),
    (
        "as an ai",
        &[
            "i can't",
            "i cannot",
            "i'm unable",
            "i am unable",
            "i don't have",
        ],
    ),
    ("es tut mir leid", &["nicht", "kein"]),
    ("tut mir leid", &["nicht", "kein"]),
    (
        "je suis désolé",
        &["ne peux pas", "ne puis", "pas en mesure"],
    ),
    ("désolé", &["ne peux pas", "ne puis", "pas en mesure"]),
    ("lo siento", &["no puedo", "no es posible"]),
    ("desculpe", &["não posso", "não consigo"]),
    ("lamento", &["não posso", "no puedo", "non posso"]),
    ("mi dispiace", &["non posso", "non sono in grado"]),
    ("het spijt me", &["niet", "geen"]),
    ("przykro mi", &["nie mogę", "nie jestem w stanie"]),
    ("извините", &["не могу"]),
    ("к сожалению", &["я не могу"]),
    ("üzgünüm", &["yardımcı olamam", "yapamam", "veremem"]),
    ("抱歉", &["无法", "不能", "無法"]),
    ("对不起", &["无法", "不能"]),
    ("申し訳", &["できません", "お答えでき", "いたしかねます"]),
    ("죄송", &["수 없습니다", "어렵습니다"]),
];

/// It begins as refusals do.
pub(super) fn is_refusal(content: &str) -> bool {
    let text = content.trim_start();
    let end = text
        .char_indices()
        .nth(READ)
        .map_or(text.len(), |(end, _)| end);
    let start = text[..end].to_lowercase().replace('’', "'");
    let start = start.trim_start_matches(['*', '"', '#', ' ']);
    BEGINNINGS
        .iter()
        .any(|beginning| start.starts_with(beginning))
        || APOLOGIES.iter().any(|(apology, refusals)| {
            let behind = start.strip_prefix(apology);
            behind.is_some_and(|behind| refusals.iter().any(|no| behind.contains(no)))
        })
}
