use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// Stages a table and a quarantine that hold `text`.
fn stage(out: &Path, replace: bool, text: &str) -> Staging {
    let staging = Staging::create(out, Extent::Folder, replace).unwrap();
    staging.create_file("orders.parquet").unwrap().write_all(text.as_bytes()).unwrap();
    staging.create_file(QUARANTINE_FILE).unwrap().write_all(text.as_bytes()).unwrap();
    staging.create_file(RECEIPT_FILE).unwrap().write_all(text.as_bytes()).unwrap();
    staging
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn refused(out: &Path, replace: bool) -> (&'static str, String) {
    let fault = Staging::create(out, Extent::Folder, replace).unwrap_err();
    (fault.code(), fault.to_string())
}

#[test]
fn nothing_is_at_its_place_before_it_is_published_and_everything_is_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let staging = stage(&out, false, "new");
    assert!(!out.exists());
    assert_eq!(staging.publish().unwrap(), out);
    assert_eq!(names(folder.path()), ["out"]);
    assert_eq!(names(&out), ["_quarantine.parquet", "_receipt.json", "orders.parquet"]);
}

#[test]
fn what_is_never_published_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    drop(stage(&folder.path().join("out"), false, "new"));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn only_its_owner_may_read_the_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out/");
    stage(&out, false, "new").publish().unwrap();
    let mode = |file: &str| std::fs::metadata(out.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(QUARANTINE_FILE), 0o600);
    assert_eq!(mode("orders.parquet") & 0o600, 0o600);
}

#[test]
fn a_staging_folder_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let staging = stage(&folder.path().join("out"), false, "new");
    let staged = folder.path().join(&names(folder.path())[0]);
    assert_eq!(std::fs::metadata(staged).unwrap().permissions().mode() & 0o777, 0o700);
    drop(staging);
}

#[test]
fn an_output_that_exists_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    stage(&out, false, "old").publish().unwrap();
    let (code, message) = refused(&out, false);
    assert_eq!(code, "output-exists");
    assert!(message.ends_with("/out exists"), "{message}");
    assert_eq!(read(&out.join("orders.parquet")), "old");
}

#[test]
fn replace_exchanges_the_old_output_for_the_new_and_takes_it_away() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    stage(&out, false, "old").publish().unwrap();
    let next = stage(&out, true, "new");
    assert_eq!(read(&out.join("orders.parquet")), "old");
    next.publish().unwrap();
    assert_eq!(read(&out.join("orders.parquet")), "new");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn replace_needs_nothing_to_replace() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    stage(&out, true, "new").publish().unwrap();
    assert_eq!(read(&out.join("orders.parquet")), "new");
}

#[test]
fn replace_takes_nothing_away_that_no_run_has_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("home");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("thesis.tex"), "years").unwrap();
    let (code, message) = refused(&out, true);
    assert_eq!(code, "output-not-ours");
    assert!(
        message.ends_with("holds `thesis.tex`, which no run has made, so it is not replaced"),
        "{message}"
    );
    std::fs::remove_file(out.join("thesis.tex")).unwrap();
    std::fs::create_dir(out.join("orders.parquet")).unwrap();
    assert_eq!(refused(&out, true).0, "output-not-ours");
}

#[test]
fn files_called_like_tables_are_not_replaced_where_no_receipt_says_that_a_run_has_made_them() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("prices.csv"), "mine").unwrap();
    let (code, message) = refused(&out, true);
    assert_eq!(code, "output-not-ours");
    assert!(message.contains("holds no _receipt.json"), "{message}");
    assert_eq!(read(&out.join("prices.csv")), "mine");
    std::fs::remove_file(out.join("prices.csv")).unwrap();
    stage(&out, true, "new").publish().unwrap();
}

#[test]
fn what_came_into_the_old_output_meanwhile_is_not_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    stage(&out, false, "old").publish().unwrap();
    let next = stage(&out, true, "new");
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    assert_eq!(next.publish().unwrap_err().code(), "output-not-ours");
    assert_eq!(
        (read(&out.join("notes.txt")), read(&out.join("orders.parquet"))),
        ("mine".into(), "old".into())
    );
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn a_symbolic_link_is_neither_followed_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (elsewhere, out) = (folder.path().join("elsewhere"), folder.path().join("out"));
    std::fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &out).unwrap();
    assert_eq!(refused(&out, false).0, "output-exists");
    let (code, message) = refused(&out, true);
    assert_eq!(code, "output-not-ours");
    assert!(message.ends_with("is a symbolic link, so it is not replaced"), "{message}");
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    assert_eq!(refused(&folder.path().join("dangling"), true).0, "output-not-ours");
    assert_eq!(names(&elsewhere), [""; 0]);
}

#[test]
fn a_file_by_that_name_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::write(&out, "mine").unwrap();
    assert_eq!(refused(&out, true).0, "output-not-ours");
    assert_eq!(read(&out), "mine");
}

#[test]
fn a_missing_folder_is_the_operators_to_make() {
    let folder = tempfile::tempdir().unwrap();
    let fault = Staging::create(&folder.path().join("a/b/out"), Extent::Folder, false).unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("output-parent-missing", Blame::Operator));
    let wanted = format!("make it first: mkdir -p {}/a/b", folder.path().display());
    assert_eq!(fault.hint(), Some(wanted));
}

#[test]
fn a_folder_that_may_not_be_written_to_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o555)).unwrap();
    // Permissions bind nobody who is root; nobody makes folders in sysfs.
    let is_root = rustix::process::geteuid().is_root();
    let parent = if is_root { Path::new("/sys") } else { folder.path() };
    let (code, message) = refused(&parent.join("out"), false);
    assert_eq!(code, "output-parent-unusable");
    assert!(message.starts_with(&format!("nothing can be made in {}: ", parent.display())), "{message}");
}

#[test]
fn an_output_needs_a_name() {
    for out in ["/", "..", "a/..", ""] {
        assert_eq!(refused(Path::new(out), false).0, "output-unnamed", "{out:?}");
    }
}

#[test]
fn what_a_dead_process_left_is_swept_and_what_a_living_one_makes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let orphan = folder.path().join(".casparian-staging-dead");
    std::fs::create_dir_all(orphan.join("tree")).unwrap();
    std::fs::write(orphan.join("tree/orders.parquet"), "half").unwrap();
    let alive = stage(&folder.path().join("one"), false, "one");
    assert!(!orphan.exists());
    let other = stage(&folder.path().join("two"), false, "two");
    alive.publish().unwrap();
    other.publish().unwrap();
    assert_eq!(names(folder.path()), ["one", "two"]);
}

#[test]
fn a_link_that_poses_as_an_orphan_leads_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("orders.parquet"), "mine").unwrap();
    symlink(&elsewhere, folder.path().join(".casparian-staging-link")).unwrap();
    stage(&folder.path().join("out"), false, "new").publish().unwrap();
    assert_eq!(read(&elsewhere.join("orders.parquet")), "mine");
}

#[test]
fn of_two_runs_to_one_place_the_second_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let (first, second) = (stage(&out, false, "first"), stage(&out, false, "second"));
    first.publish().unwrap();
    assert_eq!(second.publish().unwrap_err().code(), "output-exists");
    assert_eq!(read(&out.join("orders.parquet")), "first");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn many_runs_beside_each_other_neither_lose_nor_leave_anything() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let folder = folder.path();
            scope.spawn(move || {
                for run in 0..20 {
                    let out = folder.join(format!("out-{thread}-{run}"));
                    let staging = Staging::create(&out, Extent::Folder, false).unwrap();
                    staging.create_file("orders.parquet").unwrap();
                    if run % 2 == 0 {
                        staging.publish().unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(names(folder.path()).len(), 80);
    assert!(names(folder.path()).iter().all(|name| name.starts_with("out-")));
}

#[test]
fn a_verdict_of_no_publishes_the_quarantine_alone_and_replaces_an_older_one() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out/");
    let held = folder.path().join("out.held");
    for text in ["old", "new"] {
        assert_eq!(stage(&out, false, text).hold(&[QUARANTINE_FILE, RECEIPT_FILE]).unwrap(), held);
        assert_eq!(names(folder.path()), ["out.held"]);
        assert_eq!(names(&held), [QUARANTINE_FILE, RECEIPT_FILE]);
        assert_eq!(read(&held.join(QUARANTINE_FILE)), text);
    }
}

#[test]
fn without_a_quarantine_nothing_is_held_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(&folder.path().join("out"), Extent::Folder, false).unwrap();
    staging.create_file("orders.parquet").unwrap();
    let fault = staging.hold(&[QUARANTINE_FILE]).unwrap_err();
    assert!(fault.to_string().contains("_quarantine.parquet: No such file"), "{fault}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn no_file_is_made_by_a_name_that_could_lead_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(&folder.path().join("out"), Extent::Folder, false).unwrap();
    for name in ["../x.parquet", "/tmp/x.parquet", "a/b.parquet", "", "orders", "Orders.parquet"] {
        assert_eq!(staging.create_file(name).unwrap_err().code(), "output-failed", "{name:?}");
    }
}

#[test]
fn a_table_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let staging = stage(&folder.path().join("out"), false, "new");
    assert_eq!(staging.create_file("orders.parquet").unwrap_err().code(), "output-failed");
}

/// Stages one table, as CSV, and a quarantine.
fn stage_file(out: &Path, replace: bool, text: &str) -> Staging {
    let staging = Staging::create(out, Extent::File, replace).unwrap();
    staging.create_file("orders.csv").unwrap().write_all(text.as_bytes()).unwrap();
    staging.create_file(QUARANTINE_FILE).unwrap().write_all(text.as_bytes()).unwrap();
    staging.create_file(RECEIPT_FILE).unwrap().write_all(text.as_bytes()).unwrap();
    staging
}

#[test]
fn an_output_of_one_file_has_what_is_known_about_it_in_a_folder_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    assert_eq!(stage_file(&out, false, "new").publish().unwrap(), out);
    assert_eq!(names(folder.path()), ["o.csv", "o.csv.about"]);
    assert_eq!(names(&about(&out, Extent::File)), [QUARANTINE_FILE, RECEIPT_FILE]);
    assert_eq!(
        (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
        ("new".into(), "new".into())
    );
}

#[test]
fn a_file_that_exists_is_refused_and_untouched_and_with_replace_it_is_exchanged() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    stage_file(&out, false, "old").publish().unwrap();
    assert_eq!(Staging::create(&out, Extent::File, false).unwrap_err().code(), "output-exists");
    assert_eq!(read(&out), "old");
    stage_file(&out, true, "new").publish().unwrap();
    assert_eq!(
        (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
        ("new".into(), "new".into())
    );
    assert_eq!(names(folder.path()), ["o.csv", "o.csv.about"]);
}

#[test]
fn of_two_runs_to_one_file_the_second_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    let (first, second) = (stage_file(&out, false, "first"), stage_file(&out, false, "second"));
    first.publish().unwrap();
    assert_eq!(second.publish().unwrap_err().code(), "output-exists");
    assert_eq!(
        (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
        ("first".into(), "first".into())
    );
}

#[test]
fn a_file_that_no_run_has_made_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("accounts.csv");
    std::fs::write(&out, "mine").unwrap();
    let fault = Staging::create(&out, Extent::File, true).unwrap_err();
    assert_eq!(fault.code(), "output-not-ours");
    assert!(fault.to_string().contains("accounts.csv.about beside it"), "{fault}");
    std::fs::remove_file(&out).unwrap();
    std::fs::create_dir(folder.path().join("accounts.csv.about")).unwrap();
    std::fs::create_dir(&out).unwrap();
    assert_eq!(Staging::create(&out, Extent::File, true).unwrap_err().code(), "output-not-ours");
}

#[test]
fn a_folder_of_somebody_else_beside_a_file_stays() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    std::fs::create_dir(folder.path().join("o.csv.about")).unwrap();
    std::fs::write(folder.path().join("o.csv.about/thesis.tex"), "years").unwrap();
    for replace in [false, true] {
        assert_eq!(Staging::create(&out, Extent::File, replace).unwrap_err().code(), "output-not-ours");
    }
    assert_eq!(names(folder.path()), ["o.csv.about"]);
}

#[test]
fn what_a_death_between_the_two_steps_leaves_is_replaced_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    stage_file(&out, false, "dead").publish().unwrap();
    std::fs::remove_file(&out).unwrap();
    std::fs::write(about(&out, Extent::File).join(UNFINISHED), "").unwrap();
    stage_file(&out, false, "new").publish().unwrap();
    assert_eq!(
        (read(&out), read(&folder.path().join("o.csv.about/_quarantine.parquet"))),
        ("new".into(), "new".into())
    );
}

#[test]
fn what_is_known_about_a_file_that_somebody_moved_away_is_replaced_on_demand_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    stage_file(&out, false, "old").publish().unwrap();
    std::fs::rename(&out, folder.path().join("kept.csv")).unwrap();
    let fault = Staging::create(&out, Extent::File, false).unwrap_err();
    assert_eq!(fault.code(), "output-exists");
    assert!(fault.to_string().ends_with("/o.csv.about exists"), "{fault}");
    assert_eq!(read(&folder.path().join("o.csv.about/_quarantine.parquet")), "old");
    stage_file(&out, true, "new").publish().unwrap();
    assert_eq!(read(&folder.path().join("o.csv.about/_quarantine.parquet")), "new");
    assert_eq!(names(folder.path()), ["kept.csv", "o.csv", "o.csv.about"]);
}

#[test]
fn what_an_earlier_run_was_held_for_is_gone_when_a_later_one_is_published() {
    let folder = tempfile::tempdir().unwrap();
    for (out, extent, table) in
        [("out", Extent::Folder, "orders.parquet"), ("o.csv", Extent::File, "orders.csv")]
    {
        let stage = |table: &str| {
            let staging = Staging::create(&folder.path().join(out), extent, false).unwrap();
            for file in [table, QUARANTINE_FILE, RECEIPT_FILE] {
                staging.create_file(file).unwrap();
            }
            staging
        };
        let held = stage(table).hold(&[QUARANTINE_FILE, RECEIPT_FILE]).unwrap();
        assert!(held.exists());
        stage(table).publish().unwrap();
        assert!(!held.exists());
    }
    assert_eq!(names(folder.path()), ["o.csv", "o.csv.about", "out"]);
}

#[test]
fn a_folder_that_is_called_held_and_is_something_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    stage(&folder.path().join("out.held"), false, "an output of this name").publish().unwrap();
    std::fs::create_dir(folder.path().join("other.held")).unwrap();
    for out in ["out", "other"] {
        stage(&folder.path().join(out), false, "new").publish().unwrap();
    }
    assert_eq!(names(folder.path()), ["other", "other.held", "out", "out.held"]);
}

#[test]
fn without_a_table_there_is_no_file_and_nothing_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let staging = Staging::create(&folder.path().join("o.csv"), Extent::File, false).unwrap();
    staging.create_file(QUARANTINE_FILE).unwrap();
    assert_eq!(staging.publish().unwrap_err().code(), "output-without-table");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_file_that_is_held_leaves_its_quarantine_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("o.csv");
    assert_eq!(
        stage_file(&out, false, "bad").hold(&[QUARANTINE_FILE]).unwrap(),
        folder.path().join("o.csv.held")
    );
    assert_eq!(names(folder.path()), ["o.csv.held"]);
}
