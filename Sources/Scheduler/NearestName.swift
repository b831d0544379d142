/// The known name that was probably meant, for "did you mean".
enum NearestName {
    /// The nearest of `candidates` by edits, if it is near enough to be a slip of the hand: a third
    /// of the name's length, and at least one edit.
    static func to(_ name: String, among candidates: some Sequence<String>) -> String? {
        let typed = Array(name.lowercased())
        let limit = max(1, typed.count / 3)
        let nearest = candidates.map { (edits: distance(typed, Array($0.lowercased())), name: $0) }
            .min { ($0.edits, $0.name) < ($1.edits, $1.name) }
        return nearest.flatMap { $0.edits <= limit ? $0.name : nil }
    }

    /// `; did you mean "…"?`, or nothing.
    static func hint(for name: String, among candidates: some Sequence<String>) -> String {
        to(name, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    private static func distance(_ left: [Character], _ right: [Character]) -> Int {
        var before: [Int] = []
        var previous = Array(0...right.count)
        for (row, character) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var best = previous[column] + (character == other ? 0 : 1)
                best = min(best, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, character == right[column - 1], left[row - 1] == other {
                    best = min(best, before[column - 1] + 1)
                }
                current.append(best)
            }
            before = previous
            previous = current
        }
        return previous[right.count]
    }
}
