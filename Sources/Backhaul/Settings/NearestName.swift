/// Finds the name that was probably meant.
enum NearestName {
    /// The candidate nearest to `name`, if it is near enough to be a slip of the hand.
    ///
    /// A name without its unit (`worker.grace`) finds the shortest key that goes on with one; a name
    /// without its section (`concurrency`) finds the only key that ends in it.
    static func suggestion(for name: String, among candidates: [String]) -> String? {
        let wanted = name.lowercased()
        let longer = candidates.filter { $0.lowercased().hasPrefix("\(wanted)_") }
        if let shortest = longer.min(by: { $0.count < $1.count }) { return shortest }
        let ranked = candidates.map { ($0, distance(wanted, $0.lowercased())) }
        let allowed = max(2, name.count / 4)
        if let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= allowed { return best.0 }
        let endings = candidates.filter { $0.lowercased().hasSuffix(".\(wanted)") }
        return endings.count == 1 ? endings[0] : nil
    }

    /// `; did you mean x?`, or nothing.
    static func hint(for name: String, among candidates: [String]) -> String {
        suggestion(for: name, among: candidates).map { "; did you mean \($0)?" } ?? ""
    }

    /// How many insertions, deletions, substitutions and swaps of neighbours part two names.
    ///
    /// Source: the optimal string alignment form of Damerau and Levenshtein's distance.
    static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left)
        let right = Array(right)
        var rows = [Array(0...right.count)]
        for i in 0..<left.count {
            var row = [i + 1]
            for j in 0..<right.count {
                var best = min(rows[i][j + 1] + 1, row[j] + 1)
                best = min(best, rows[i][j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    best = min(best, rows[i - 1][j - 1] + 1)
                }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[left.count][right.count]
    }
}
