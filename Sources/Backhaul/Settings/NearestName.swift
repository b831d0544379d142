import JobModel

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
        let ranked = candidates.map { ($0, EditDistance.between(wanted, $0.lowercased())) }
        let allowed = max(2, name.count / 4)
        if let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= allowed { return best.0 }
        let endings = candidates.filter { $0.lowercased().hasSuffix(".\(wanted)") }
        return endings.count == 1 ? endings[0] : nil
    }

    /// `; did you mean x?`, or nothing.
    static func hint(for name: String, among candidates: [String]) -> String {
        suggestion(for: name, among: candidates).map { "; did you mean \($0)?" } ?? ""
    }
}
