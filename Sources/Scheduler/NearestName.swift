import JobModel

/// The known name that was probably meant, for "did you mean".
enum NearestName {
    /// The nearest of `candidates` by edits, if it is near enough to be a slip of the hand: a third
    /// of the name's length, and at least one edit.
    static func to(_ name: String, among candidates: some Sequence<String>) -> String? {
        let typed = name.lowercased()
        let limit = max(1, typed.count / 3)
        let nearest = candidates.map {
            (edits: EditDistance.between(typed, $0.lowercased()), name: $0)
        }
        .min { ($0.edits, $0.name) < ($1.edits, $1.name) }
        return nearest.flatMap { $0.edits <= limit ? $0.name : nil }
    }

    /// `; did you mean "…"?`, or nothing.
    static func hint(for name: String, among candidates: some Sequence<String>) -> String {
        to(name, among: candidates).map { "; did you mean \"\($0)\"?" } ?? ""
    }
}
