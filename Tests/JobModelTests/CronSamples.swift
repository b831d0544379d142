import Foundation
import JobModel
import TestSupport

/// Random crontabs in Celery's grammar.
struct CronSamples {
    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]
    private static let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    var random: RepeatableRandom

    init(seed: UInt64) { random = RepeatableRandom(seed: seed) }

    /// Five fields in the order of a line; the date may be one that never occurs.
    mutating func fields() -> [String] {
        CronField.allCases.map { text($0, starred: $0.isOftenStarred ? 0.6 : 0.25) }
    }

    /// Fields that fire often in the small hours, when clocks are changed.
    mutating func smallHours() -> [String] {
        let hours = ["*", "*/2", "1", "2", "3", "0-3", "1,2", "23-2", "2-3", "0"]
        return [
            text(.minute, starred: 0.3), hours.randomElement(using: &random) ?? "*", "*", "*",
            Bool.random(using: &random) ? "*" : "sun,sat",
        ]
    }

    mutating func text(_ field: CronField, starred: Double) -> String {
        if Double.random(in: 0..<1, using: &random) < starred { return "*" }
        let parts = Int.random(in: 1...10, using: &random) / 5 + 1
        return (0..<parts).map { _ in part(field) }.joined(separator: ",")
    }

    private mutating func part(_ field: CronField) -> String {
        let step = Int.random(in: 1...(field.bounds.count + 3), using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return "*/\(step)"
        case 1: return "\(value(field))-\(value(field))/\(step)"
        case 2, 3: return "\(value(field))-\(value(field))"
        default: return value(field)
        }
    }

    private mutating func value(_ field: CronField) -> String {
        let number = Int.random(in: field.bounds, using: &random)
        guard Int.random(in: 0..<3, using: &random) == 0 else { return "\(number)" }
        let word: String
        switch field {
        case .monthOfYear: word = Self.months[number - 1]
        case .dayOfWeek: word = Self.days[number]
        default: return number < 10 ? "0\(number)" : "\(number)"
        }
        return Bool.random(using: &random) ? word : word.uppercased()
    }

    /// The text with one character put in, left out or replaced.
    mutating func mutated(_ text: String) -> String {
        var characters = Array(text)
        let alphabet = Array("0123456789*/-,abfjnstu#")
        let other = alphabet.randomElement(using: &random) ?? "0"
        let index = Int.random(in: 0..<characters.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: characters.insert(other, at: index)
        case 1: characters.remove(at: index)
        default: characters[index] = other
        }
        return String(characters)
    }
}

extension CronField {
    fileprivate var isOftenStarred: Bool { self != .minute && self != .hour }
}

extension CronExpression {
    /// From five fields in the order of a line.
    init(fields: [String]) throws(CronError) {
        try self.init(
            minute: fields[0], hour: fields[1], dayOfMonth: fields[2], monthOfYear: fields[3],
            dayOfWeek: fields[4])
    }
}
