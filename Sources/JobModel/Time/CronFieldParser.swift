import Foundation

/// Reads one crontab field in Celery's grammar.
///
/// ```
/// field := part ("," part)*
/// part  := ("*" | range) ["/" step]  |  value
/// range := value "-" value              wraps when the first is greater: 50-10, fri-mon
/// value := digits | month or day name, at least three letters, any case
/// ```
///
/// Blanks around a part are ignored. What is read means exactly what Celery means by it. Some texts that Celery reads as something
/// other than what is written are refused instead: `mon#1` (read as every Monday), `10-20-30`,
/// `*/5-10`, a month's name among the minutes, `monkey`, `+5`, `1_0`.
struct CronFieldParser {
    /// The longest text of one field, bytes.
    static let maximumBytes = 512

    let field: CronField
    let text: String

    /// What a field says.
    struct Parsed {
        var values = CronValues()
        /// Whether a part is `*` or `*/n`: the author asked for a rhythm, not for given times.
        var isStarred = false
    }

    func parse() throws(CronError) -> Parsed {
        guard text.utf8.count <= Self.maximumBytes else {
            throw CronError(
                field: field, text: String(text.prefix(32)) + "…",
                problem: "is longer than \(Self.maximumBytes) bytes")
        }
        var parsed = Parsed()
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            try read(part.trimmingCharacters(in: .whitespaces), into: &parsed)
        }
        return parsed
    }

    private func read(_ part: String, into parsed: inout Parsed) throws(CronError) {
        guard !part.isEmpty else { throw failure("has an empty part") }
        let halves = part.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count <= 2 else { throw failure("has two steps in \"\(part)\"") }
        let step = try halves.count == 2 ? step(halves[1]) : nil
        let base = String(halves[0])
        if base == "*" {
            parsed.isStarred = true
            for value in stride(
                from: field.bounds.lowerBound, through: field.bounds.upperBound, by: step ?? 1)
            {
                parsed.values.insert(value)
            }
            return
        }
        let ends = base.split(separator: "-", omittingEmptySubsequences: false)
        switch ends.count {
        case 1 where step == nil:
            parsed.values.insert(try value(ends[0]))
        case 1:
            throw failure("has a step after \"\(base)\"; a step follows * or a range")
        case 2:
            try insertRange(from: value(ends[0]), to: value(ends[1]), by: step ?? 1, into: &parsed)
        default:
            throw failure("has \"\(base)\", which is not a range of two values")
        }
    }

    /// Steps along `first` to `last`, through the field's end when `last` is lower.
    private func insertRange(from first: Int, to last: Int, by step: Int, into parsed: inout Parsed)
    {
        let size = field.bounds.count
        let length = last >= first ? last - first : last - first + size
        for offset in stride(from: 0, through: length, by: step) {
            let lowest = field.bounds.lowerBound
            parsed.values.insert(lowest + (first - lowest + offset) % size)
        }
    }

    private func step(_ text: Substring) throws(CronError) -> Int {
        guard let step = digits(text) else {
            throw failure("has the step \"\(text)\", which is not a number")
        }
        guard step > 0 else { throw failure("has a step of 0") }
        return step
    }

    private func value(_ text: Substring) throws(CronError) -> Int {
        guard let value = digits(text) ?? word(text) else {
            throw failure("has \"\(text)\", which is not \(expectation)")
        }
        guard value >= field.bounds.lowerBound else {
            throw failure("has \(value), which is below \(field.bounds.lowerBound)")
        }
        guard value <= field.bounds.upperBound else {
            let hint = field == .dayOfWeek && value == 7 ? "; Sunday is 0" : ""
            throw failure("has \(value), which is above \(field.bounds.upperBound)\(hint)")
        }
        return value
    }

    private var expectation: String {
        switch field {
        case .minute, .hour, .dayOfMonth: "a number"
        case .monthOfYear: "a number or a month's name"
        case .dayOfWeek: "a number or a day's name"
        }
    }

    private func digits(_ text: Substring) -> Int? {
        guard (1...9).contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return Int(text)
    }

    private func word(_ text: Substring) -> Int? {
        let shortest = 3
        guard text.count >= shortest else { return nil }
        let index = field.words.firstIndex { $0.hasPrefix(text.lowercased()) }
        return index.map { $0 + field.bounds.lowerBound }
    }

    private func failure(_ problem: String) -> CronError {
        CronError(field: field, text: text, problem: problem)
    }
}
