/// The name by which Celery's tools know a worker: `backhaul@web01`.
struct NodeName {
    /// The longest name, in bytes, before the host is put in.
    static let maximumBytes = 200
    private static let usualName = "backhaul"

    /// Whether `text` can be a name: no spaces, no control characters, one `@` at most.
    static func isUsable(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= maximumBytes
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && text.utf8.count { $0 == UInt8(ascii: "@") } <= 1
    }

    /// The name of the process of that number, nil for one alone, on `host`.
    ///
    /// As Celery does it: `%h` is the host, `%n` its first part, `%d` the rest, `%i` the process's number,
    /// `%%` a percent sign, and a name without `@` is that of a host. Of several processes that would
    /// have one name, each gets its number: `backhaul-2@web01`.
    static func text(_ pattern: String, host: String, process: Int?) -> String {
        let parts = host.split(separator: ".", maxSplits: 1).map(String.init)
        var name = ""
        var isMarked = false
        var isNumbered = false
        for letter in pattern {
            guard isMarked else {
                if letter == "%" { isMarked = true } else { name.append(letter) }
                continue
            }
            isMarked = false
            switch letter {
            case "h": name += host
            case "n": name += parts.first ?? host
            case "d": name += parts.count > 1 ? parts[1] : ""
            case "i", "I":
                name += "\(process ?? 0)"
                isNumbered = true
            default: name.append(letter)
            }
        }
        let halves = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let first = halves.count == 2 && !halves[0].isEmpty ? String(halves[0]) : usualName
        let last = String(halves.last ?? "")
        let number = process.map { isNumbered ? "" : "-\($0)" } ?? ""
        return "\(first)\(number)@\(last.isEmpty ? host : last)"
    }
}
