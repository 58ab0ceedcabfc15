//! The README's walk: every command in its console blocks runs, and every line shown there was printed by the command.

mod common;

use common::Folder;

#[test]
fn the_walk_prints_what_the_readme_shows() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let folder = Folder::new();
    std::fs::create_dir(folder.path("examples")).unwrap();
    std::fs::copy(root.join("examples/iris.csv"), folder.path("examples/iris.csv")).unwrap();
    let mut commands = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for step in block.split("$ mixtura ").skip(1) {
            let (args, shown) = step.split_once('\n').unwrap();
            let printed = folder.run(args).ok().out;
            let mut left = printed.lines();
            for line in shown.lines().filter(|line| *line != "…") {
                assert!(
                    left.any(|l| l == line),
                    "mixtura {args} does not print, or not in this place:\n{line}\n\n{printed}"
                );
            }
            commands += 1;
        }
    }
    assert!(commands >= 5, "only {commands} commands found");
}
