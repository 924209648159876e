//! Data is never skipped in silence: what may be a record is a row or a rejection.

use casparian_sdk::harness::{Run, Said};
use csv::Csv;

fn read(text: &str) -> Said {
    let said = Run::default().over(&Csv, text.as_bytes()).expect("an input is never refused");
    assert_eq!(said.dark(), [], "{text}");
    said
}

/// What of a text is skipped, line by line, blank lines left out.
fn skipped(text: &str) -> Vec<String> {
    let said = read(text);
    let stretch = |at: &casparian_sdk::Span| text[at.offset as usize..at.end() as usize].to_owned();
    let all: Vec<String> = said.skips.iter().map(|(at, ..)| stretch(at)).collect();
    all.iter().flat_map(|it| it.lines()).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn rows(text: &str) -> usize {
    read(text).rows("rows").len()
}

#[test]
fn a_column_of_marked_words_is_no_column_of_comments() {
    for text in [
        "tag\n#rust\n#wasm\n#csv\n#data\n",
        "colour\n#ff0000\n#00ff00\n#0000ff\n",
        "option\n--verbose\n--quiet\n--help\n",
        "share\n//srv/a\n//srv/b\n//srv/c\n",
    ] {
        assert_eq!(skipped(text), [text.lines().next().unwrap_or_default()], "{text}");
    }
    assert_eq!(skipped("# made by hand\nname\nalpha\nbeta\n"), ["# made by hand", "name"]);
}

#[test]
fn a_short_record_that_begins_with_a_mark_is_no_comment() {
    let mut long: String = "id,name,qty\n".to_owned();
    (0..299).for_each(|row| long += &format!("{row},foo,{}\n", row * 3));
    assert_eq!(skipped(&(long + "#201,foo\n")), ["id,name,qty"]);
    assert_eq!(skipped("#1,a,5\n#2,b\n#3,c\n4,d,6\n5,e,7\n6,f,8\n"), [""; 0]);
    assert_eq!(skipped("id,name,qty\n1,a,5\n--,5\n2,b,6\n3,c,7\n"), ["id,name,qty"]);
    assert_eq!(skipped("id,txt\n1,\"x\n# head\n# two\"\n#2,foo\n"), ["id,txt"]);
}

#[test]
fn a_header_that_begins_with_a_mark_names_the_columns() {
    let said = read("#,name,qty\n1,a,5,\n2,b,6,\n");
    assert!(said.skips.iter().all(|(_, kind, _)| format!("{kind:?}") == "Header"), "{:?}", said.skips);
}

#[test]
fn remarks_are_comments_also_where_they_hold_a_comma() {
    assert_eq!(read("# made by hand, late\na,b,c\n1,2,x\n#note\n3,4,y\n").rows("rows").len(), 2);
}

#[test]
fn records_without_a_value_are_no_rows_of_the_header() {
    for text in [
        "name,score\nAlice,N/A\nBob,5\nCarl,6\nDora,7\n",
        "station,temp,wind\nA1,NA,NA\nA2,3,4\nA3,5,6\nA4,7,8\n",
        "id,name,qty,price\nA1,foo,-,-\nA2,bar,-,-\nA3,baz,3,4\nA4,qux,5,6\nA5,ham,7,8\n",
        "name,start,end\nAnn,never,never\nBob,2024-01-01,2024-01-02\nCy,2024-01-03,2024-01-04\nDi,2024-01-05,2024-01-06\n",
        "name,,score\nAlice,x,not yet\nBob,y,5\nCarl,z,6\nDora,q,7\n",
        "name,score\nAlice,pending\nBob,5\nCarl,6\nDora,7\n",
    ] {
        assert_eq!(skipped(text), [text.lines().next().unwrap_or_default()], "{text}");
    }
    assert_eq!(rows("Alice,unknown\nBob,5\nCarl,6\nDora,7\n"), 4);
}

#[test]
fn a_name_that_begins_like_a_total_is_a_record() {
    let shops = "shop,year,state\nAldi,1977,ok\nLidl,1978,ok\nSpar,1932,ok\n";
    for last in ["Total Wine & More,,ok\n", "Count Dracula,1977,\n", "Mean Fiddler,,\n"] {
        assert_eq!(skipped(&(shops.to_owned() + last)), ["shop,year,state"], "{last}");
    }
    assert_eq!(rows("hero,year,note\nZorro,1919,x\nBatman,1939,y\nTotal (2):,3858,\n"), 2);
    assert_eq!(rows("shop,n\nAldi,3\nLidl,4\nTotal for the year,7\n"), 2);
}

#[test]
fn a_record_that_broke_off_is_no_footer() {
    let cut = "name,city,n\nAnn Lee,Oslo,4\nEve Fox,Bern,5\nBob Ray,Rome,6\nCarl Ma";
    assert_eq!((skipped(cut).len(), read(cut).rejects.len()), (1, 1));
    let apart = cut.replace("Carl", "\nCarl");
    assert_eq!((skipped(&apart).len(), read(&apart).rejects.len()), (1, 1));
    let short = "name,last,town\nAnn,Lee,Oslo\nEve,Fox,Bern\nBob,Ray,Rome\n\nCy,Fox\n";
    assert_eq!(skipped(short), ["name,last,town"]);
    let told = cut.replace("Carl Ma", "Source: the ledger of 2024");
    assert_eq!(skipped(&told).len(), 2);
}

#[test]
fn ragged_records_behind_a_blank_line_are_judged() {
    let text = "id,name,qty\n1,a,5\n2,b,6\n3,c,7\n\n4,d\n5,e\n";
    assert_eq!(skipped(text), ["id,name,qty"]);
    let ragged: String = (0..36).map(|row| format!("{row}{}\n", ",x".repeat(row % 5 + 3))).collect();
    assert_eq!(skipped(&format!("id,name,qty\n1,a,5\n2,b,6\n3,c,7\n\n{ragged}")), ["id,name,qty"]);
}

#[test]
fn no_line_is_a_footer_where_an_option_says_that_there_is_none() {
    let options = vec![("footer-lines".to_owned(), "0".to_owned())];
    let text = "id,name,qty\n1,a,5\n2,b,6\n3,c,7\n\nNote: late\n";
    let said =
        Run { options, ..Run::default() }.over(&Csv, text.as_bytes()).expect("an input is never refused");
    assert_eq!(said.rejects.len(), 1);
}

#[test]
fn records_of_another_width_above_the_usual_ones_are_of_the_table() {
    let later: String = (0..8).map(|row| format!("{row},x,{row},y\n")).collect();
    assert_eq!(skipped(&format!("id,name,qty\n1,a,5\n2,b,6\n3,c,7\n{later}")), ["id,name,qty"]);
    assert_eq!(skipped("1,x\n2,y,5\n3,z,6\n4,w,7\n"), [""; 0]);
}

#[test]
fn a_header_of_another_width_names_the_columns_where_all_is_text() {
    for header in ["first,last", "first,last,town,land"] {
        let text = format!("{header}\nAnn,Lee,Oslo\nBob,Ray,Rome\nEve,Fox,Bern\nCy,Poe,Bonn\n");
        assert_eq!(skipped(&text), [header], "{header}");
    }
}

#[test]
fn a_comma_within_a_text_moves_no_cells() {
    let text = "id,name,city\n1,Smith, John,Boston\n2,Doe,Paris\n3,Ray, Ann,Rome\n4,Poe,Bonn\n5,Lee,Oslo\n6,Fox,Bern\n7,Coe,Kyiv\n";
    let said = read(text);
    assert_eq!((said.rows("rows").len(), said.rejects.len()), (5, 2));
    let typed = text.replace("id,name,city", "id,name,age").replace("Boston", "41").replace("Rome", "17");
    assert_eq!(read(&typed).rejects.len(), 2);
}
