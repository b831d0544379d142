import JobModel
import Testing

@Suite("Edit distance")
struct EditDistanceTests {
    @Test(
        "counts insertions, deletions, substitutions and swaps of neighbours",
        arguments: [
            ("", "", 0), ("", "abc", 3), ("queue", "queue", 0), ("queu", "queue", 1),
            ("quee", "queue", 1), ("qeuue", "queue", 1), ("cat", "dog", 3),
            ("kitten", "sitting", 3),
        ])
    func known(left: String, right: String, edits: Int) {
        #expect(EditDistance.between(left, right) == edits)
        #expect(EditDistance.between(right, left) == edits)
    }
}
