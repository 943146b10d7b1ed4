//! Sound answers: nothing is found in them.

use super::{STORY, found, found_of};
use crate::said::Asked;
use crate::writing::Writings;

#[test]
fn languages_are_sound() {
    for text in [
        STORY,
        "Der Hafen war ruhig, als die ersten Schiffe einliefen. Niemand hatte sie vor Mittag erwartet, und die Männer, die die \
         Taue hätten nehmen sollen, schliefen noch in den Schuppen hinter dem Markt.",
        "Le port était calme quand les premiers bateaux arrivèrent. « Personne ne les attendait avant midi ! » cria le \
         capitaine, et les hommes qui devaient prendre les cordes dormaient encore derrière le marché.",
        "El puerto estaba tranquilo cuando llegaron los primeros barcos. ¿Quién los esperaba antes del mediodía? Los hombres \
         que debían tomar las cuerdas todavía dormían detrás del mercado, y el capitán se rió.",
        "Port był cichy, kiedy przypłynęły pierwsze łodzie. Nikt nie spodziewał się ich przed południem, a ludzie, którzy \
         mieli chwycić liny, spali jeszcze w szopach za rynkiem, więc kapitan sam rzucił cumę.",
        "Přístav byl tichý, když připluly první lodě. Nikdo je nečekal před polednem a muži, kteří měli chytit lana, ještě \
         spali v kůlnách za trhem, takže náš kapitán hodil lano sám a dvakrát minul.",
        "Roedd yr harbwr yn dawel pan ddaeth y cychod cyntaf i mewn. Nid oedd neb wedi eu disgwyl cyn hanner dydd, ac roedd y \
         dynion a ddylai fod wedi cymryd y rhaffau yn dal i gysgu yn y siediau y tu ôl i'r farchnad.",
        "A kikötő csendes volt, amikor az első hajók befutottak. Senki sem várta őket dél előtt, és az emberek, akiknek a \
         köteleket kellett volna elkapniuk, még aludtak a piac mögötti fészerekben.",
        "Satama oli hiljainen, kun ensimmäiset veneet saapuivat. Kukaan ei ollut odottanut niitä ennen puoltapäivää, ja miehet \
         nukkuivat vielä vajoissa torin takana, joten kapteeni heitti köyden itse.",
        "Bến cảng yên tĩnh khi những chiếc thuyền đầu tiên cập bến. Không ai mong đợi họ trước buổi trưa, và những người đàn \
         ông phải nắm lấy dây thừng vẫn còn ngủ trong nhà kho phía sau chợ.",
        "gangkou hen anjing, dang di yi pi chuan jin lai de shihou, mei you ren zai zhongwu zhiqian deng dai tamen, nanren men \
         hai zai shichang houmian de pengzi li shuijiao.",
        "В порту было тихо, когда вошли первые лодки. Никто не ждал их раньше полудня, и люди, которые должны были принять \
         канаты, ещё спали в сараях за рынком. SQL-запрос и API тут ни при чём.",
        "Το λιμάνι ήταν ήσυχο όταν μπήκαν οι πρώτες βάρκες. Κανείς δεν τις περίμενε πριν από το μεσημέρι.",
        "كان الميناء هادئا عندما دخلت القوارب الأولى. لم يكن أحد يتوقعها قبل الظهر، وكان الرجال نائمين خلف السوق.",
        "הנמל היה שקט כשנכנסו הסירות הראשונות. איש לא ציפה להן לפני הצהריים, והגברים עדיין ישנו מאחורי השוק.",
        "जब पहली नावें आईं तो बंदरगाह शांत था। दोपहर से पहले किसी को उनकी उम्मीद नहीं थी, और लोग बाज़ार के पीछे सो रहे थे।",
        "ท่าเรือเงียบสงบเมื่อเรือลำแรกเข้ามา ไม่มีใครคาดว่าจะมาก่อนเที่ยง และคนงานยังนอนหลับอยู่หลังตลาด",
        "港口很安静，当第一批船进来的时候，没有人在中午之前等待它们。使用Python编写API时，也是如此。",
        "港は静かでした。最初の船が入ってきたとき、誰も昼前に来るとは思っていませんでした。船長はロープを投げました。",
        "첫 배가 들어왔을 때 항구는 조용했다. 정오 전에 올 거라고는 아무도 생각하지 못했고, 선장은 API를 몰랐다.",
        "პირველი ნავები რომ შემოვიდა, ნავსადგური წყნარი იყო. შუადღემდე მათ არავინ ელოდა.",
    ] {
        assert_eq!(found(text), [], "{text}");
        let asked = Asked {
            writings: Some(Writings::of(text)),
            ..Asked::default()
        };
        assert_eq!(found_of(&asked, &format!("{text} {text}")), [], "{text}");
    }
}

#[test]
fn formats_are_sound() {
    let rows: String = (0..40)
        .map(|n| format!("- item {n}: {}\n", n * n))
        .collect();
    let table = format!(
        "| name | a | b |\n|------|---|---|\n{}",
        "| row | 1 | 2 |\n".repeat(8)
    );
    let matrix = "0 0 0 0 0 0 0 0 0 0\n".repeat(20);
    let code =
        "fn main() {\n    for i in 0..10 {\n        println!(\"{}\", i * i);\n    }\n}\n".repeat(2);
    let hex = "d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26\n".repeat(3);
    let base64 = "QmFzZTY0IGlzIGEgd2F5IG9mIHdyaXRpbmcgYnl0ZXMgd2l0aCBsZXR0ZXJzLCBkaWdpdHMgYW5kIHR3byBzaWducywgYXMgbWFpbCBuZWVkcyBpdC4=";
    let sequence = "ACGTTGCAAC GGTACCATGC TTAACGGCAT CCGATTACGA TGCATGCCAA ".repeat(3) + "GATTACA";
    let json = "{\"rows\": [{\"id\": 1, \"name\": \"a\", \"on\": true}, {\"id\": 2, \"name\": \"b\", \"on\": false}]}";
    let html = format!(
        "<!DOCTYPE html>\n<html>\n<head><title>My boats</title></head>\n<body><p>{STORY}</p></body>\n</html>"
    );
    let list = format!(
        "<ul>\n{}</ul>",
        "  <li><a href=\"#\">Link</a></li>\n".repeat(12)
    );
    for text in [
        rows.as_str(),
        &table,
        &matrix,
        &code,
        &hex,
        base64,
        &sequence,
        json,
        &html,
        &list,
        "SELECT usr.id, COUNT(ord.id) AS cnt FROM usr LEFT JOIN ord ON ord.usr_id = usr.id GROUP BY usr.id HAVING cnt > 3;",
        "ls cd pwd mkdir rmdir cp mv rm chmod chown chgrp grep sed awk tar gzip curl wget ssh scp rsync git svn make gcc ld ps \
         kill top df du mount umount fsck dd cron dmesg lspci lsusb sysctl xargs wc tr cut tee tail head fg bg nohup vi vim nano",
        "mov eax, ebx\nxor ecx, ecx\ncmp dword ptr [rbp-4], 9\njge short exit\nlea rdx, [rip+msg]\ncall printf\nadd rsp, 32\nret",
        "\\begin{align} \\frac{d}{dx}(x^n) &= n x^{n-1} \\\\ \\int_a^b f(x)\\,dx &= F(b)-F(a) \\end{align}",
        "Let Δx = σ·√n, then λ₁ = μ + αβ and ∑ᵢ xᵢ ≤ ∫ f(ω) dω.",
        "^(?:[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@[a-z0-9-]+$",
        "1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 4. Ba4 Nf6 5. O-O Be7 6. Re1 b5 7. Bb3 d6 8. c3 O-O",
        "1/3 = 0.33333333333333333333333333333333333333333333333333333333333333333333333333",
        "192.168.0.1,192.168.0.2,192.168.0.3,192.168.0.4,10.0.0.1,10.0.0.2,10.0.0.3",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn ways_of_speaking_are_sound() {
    let laughs = format!("{}That is a good one. {STORY}", "Ha ".repeat(12));
    let refrain: String = (1..7)
        .map(|n| {
            format!("Verse {n} tells of a boat.\nRow on, row on,\nthe night is long, row on.\n\n")
        })
        .collect();
    let line = "-".repeat(120);
    for text in [
        laughs.as_str(),
        &refrain,
        &line,
        "42",
        "Yes.",
        "😀😀😀😀😀😀😀😀",
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.",
        "Error handling in Rust uses Result.",
        "Error: the third line lacks a semicolon.",
        "Bad gateway means that a server between you and the site got no valid answer.",
        "Internal Server Error (500) is what a server says when it fails.",
        "Rate limiting keeps a service from being asked too often.",
        "I'm sorry to hear that! Here is what helps against a cold.",
        "I'm sorry, but the boat had left at noon already.",
        "Sorry for the delay. The answer is 42.",
        "The token `<|im_end|>` closes a message, and \"</think>\" closes what was thought.",
        "A template:\n```\n<|im_start|>user\n{text}<|im_end|>\n```\nIt needs no more.",
        "In C++ write std::vector<int> v; and a[i] <= b[i] || c < d.",
        "The sign “\u{fffd}” stands for a byte that could not be read.",
        "Where é was read wrongly you see \"Ã©\", and for ü \"Ã¼\"; save the file as UTF-8 and read it so.",
        "The Russian word \"здравствуйте\" is long; the Greek one is \"γεια\", the Japanese one こんにちは.",
        "Hello, Привет, 你好, こんにちは, 안녕하세요, مرحبا, שלום, Γειά, नमस्ते, สวัสดี - that is how people greet.",
        "The novel begins: Все счастливые семьи похожи друг на друга. In English it is about happy families, and readers know it.",
        "See [[1]] and [[notes]], not [[AB-CD]].",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}

#[test]
fn random_words_are_sound() {
    let words = include_str!("../../../../workload/src/words.txt");
    let words: Vec<&str> = words.lines().collect();
    for seed in 0..200_u64 {
        let word =
            |n: u64| words[(super::splitmix64(seed << 32 | n) % words.len() as u64) as usize];
        let text: Vec<&str> = (0..300).map(word).collect();
        assert_eq!(found(&text.join(" ")), [], "{seed}");
    }
}
