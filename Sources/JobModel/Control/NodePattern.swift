/// A pattern for the names of nodes, as `celery … --pattern` sends it.
package enum NodePattern: Sendable, Equatable {
    /// Python's `fnmatch`: `*`, `?`, `[abc]`, `[!abc]`.
    case glob(String)
    /// A regular expression that the beginning of the name must match.
    case expression(String)

    /// The longest pattern, in bytes.
    package static let maximumBytes = 256

    /// Reads what a request says; nil when it names no pattern or no matcher, which means everybody.
    ///
    /// - Throws: `control.pattern` for one that cannot be used, or that could take for ever to match.
    init?(text: JSONValue, matcher: JSONValue) throws(MessageError) {
        if text.isNull || matcher.isNull || text == "" || matcher == "" { return nil }
        guard let pattern = text.stringValue, let kind = matcher.stringValue else {
            throw Self.unusable("must be text")
        }
        guard pattern.utf8.count <= Self.maximumBytes else {
            throw Self.unusable("is longer than \(Self.maximumBytes) bytes")
        }
        switch kind {
        case "glob": self = .glob(pattern)
        case "pcre":
            guard (try? Regex(pattern)) != nil else {
                throw Self.unusable("is no regular expression")
            }
            guard !Self.repeatsRepetitions(pattern) else {
                throw Self.unusable("repeats a repetition, which could take for ever to match")
            }
            self = .expression(pattern)
        default: throw Self.unusable("has a matcher that is neither glob nor pcre")
        }
    }

    /// Whether the node of that name is meant.
    package func matches(_ node: String) -> Bool {
        switch self {
        case .glob(let pattern):
            return Self.glob(Array(pattern.unicodeScalars)[...], Array(node.unicodeScalars))
        case .expression(let pattern):
            // Compiled anew: a compiled one cannot be shared between tasks, and requests are few.
            guard let expression = try? Regex(pattern) else { return false }
            return (try? expression.prefixMatch(in: node)) != nil
        }
    }

    private static func unusable(_ problem: String) -> MessageError {
        MessageError(code: "control.pattern", message: "the pattern \(problem)")
    }

    /// Whether a group that holds a repetition is repeated itself: matching would take time that grows
    /// exponentially with the name.
    private static func repeatsRepetitions(_ pattern: String) -> Bool {
        /// For each open group, and the whole around them, whether it holds a repetition.
        var holds = [false]
        var isEscaped = false
        var closedRepetition = false
        for letter in pattern {
            let followsRepetition = closedRepetition
            closedRepetition = false
            if isEscaped {
                isEscaped = false
                continue
            }
            switch letter {
            case "\\": isEscaped = true
            case "(": holds.append(false)
            case ")":
                closedRepetition = holds.count > 1 && holds.removeLast()
                if closedRepetition { holds[holds.count - 1] = true }
            case "*", "+", "{":
                if followsRepetition { return true }
                holds[holds.count - 1] = true
            default: break
            }
        }
        return false
    }

    /// Matches by going back to the last star only, so that it takes at most pattern × name steps.
    private static func glob(_ pattern: ArraySlice<Unicode.Scalar>, _ name: [Unicode.Scalar])
        -> Bool
    {
        var (place, position) = (pattern.startIndex, 0)
        var star: (place: Int, position: Int)?
        while position < name.count {
            if place < pattern.endIndex, pattern[place] == "*" {
                star = (place, position)
                place += 1
            } else if let next = step(pattern, at: place, over: name[position]) {
                place = next
                position += 1
            } else if let last = star {
                star = (last.place, last.position + 1)
                (place, position) = (last.place + 1, last.position + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == "*" }
    }

    /// Where the pattern goes on when what stands at `place` takes `letter`; nil when it does not.
    private static func step(
        _ pattern: ArraySlice<Unicode.Scalar>, at place: Int, over letter: Unicode.Scalar
    ) -> Int? {
        guard place < pattern.endIndex else { return nil }
        guard pattern[place] == "[" else {
            return pattern[place] == "?" || pattern[place] == letter ? place + 1 : nil
        }
        var first = place + 1
        let isNegated = first < pattern.endIndex && pattern[first] == "!"
        if isNegated { first += 1 }
        // A bracket that stands first is a member.
        guard first < pattern.endIndex,
            let end = pattern[(first + 1)...].firstIndex(of: "]")
        else { return letter == "[" ? place + 1 : nil }
        return contains(letter, pattern[first..<end]) != isNegated ? end + 1 : nil
    }

    private static func contains(
        _ letter: Unicode.Scalar, _ set: ArraySlice<Unicode.Scalar>
    ) -> Bool {
        var place = set.startIndex
        while place < set.endIndex {
            if place + 2 < set.endIndex, set[place + 1] == "-" {
                if set[place] <= letter && letter <= set[place + 2] { return true }
                place += 3
            } else {
                if set[place] == letter { return true }
                place += 1
            }
        }
        return false
    }
}
