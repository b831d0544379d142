import Foundation
import JobModel

/// A text among a job's arguments that is filled in for each tick, such as
/// `"{{ window.start | date }}"`.
package struct ArgumentTemplate: Sendable, Equatable {
    /// What can be filled in.
    package enum Field: String, Sendable, CaseIterable {
        /// When the tick was due.
        case dueAt = "tick.due_at"
        /// The newest tick recorded before this one; when the entry began, for its first tick.
        case previous = "tick.previous"
        /// The previous due time of the entry's schedule.
        case windowStart = "window.start"
        /// The tick's due time.
        case windowEnd = "window.end"
        /// The entry's name.
        case entryName = "entry.name"
    }

    /// How a time is written.
    package enum Format: String, Sendable, CaseIterable {
        /// `2026-05-02T12:01:00.000+00:00`.
        case instant = ""
        /// `2026-05-02` on the entry's wall clock.
        case date
        /// `2026-05` on the entry's wall clock.
        case month
        /// Seconds since 1970-01-01 00:00 UTC.
        case unix
    }

    enum Piece: Sendable, Equatable {
        case text(String)
        case field(Field, Format)
    }

    /// What the fields stand for.
    struct Values {
        let entry: String
        let zone: TimeZone
        let dueAt: Date
        let previous: Date
        let windowStart: Date
    }

    let pieces: [Piece]

    /// What a text becomes: a number for exactly one `{{ … | unix }}`, else a text.
    func rendered(_ values: Values) -> JSONValue {
        if pieces.count == 1, case .field(let field, .unix) = pieces[0],
            let date = Self.date(field, values)
        {
            return .number(JSONNumber(text: Self.unix(date)))
        }
        return .string(pieces.map { Self.text($0, values) }.joined())
    }

    private static func text(_ piece: Piece, _ values: Values) -> String {
        switch piece {
        case .text(let text): return text
        case .field(let field, let format):
            guard let date = date(field, values) else { return values.entry }
            switch format {
            case .instant: return WireInstant.text(date)
            case .date: return CivilDay(of: date, in: values.zone).text
            case .month: return CivilDay(of: date, in: values.zone).monthText
            case .unix: return unix(date)
            }
        }
    }

    private static func date(_ field: Field, _ values: Values) -> Date? {
        switch field {
        case .dueAt, .windowEnd: values.dueAt
        case .previous: values.previous
        case .windowStart: values.windowStart
        case .entryName: nil
        }
    }

    /// Whole seconds when they are whole, else with milliseconds.
    private static func unix(_ date: Date) -> String {
        let milliseconds = Int64((date.timeIntervalSince1970 * 1000).rounded())
        let seconds = milliseconds.dividedDown(by: 1000)
        guard seconds * 1000 != milliseconds else { return String(seconds) }
        return String(Double(milliseconds) / 1000)
    }
}

/// A time as Python's `datetime.fromisoformat` reads it, in any version: an offset, not a `Z`.
enum WireInstant {
    static func text(_ date: Date) -> String {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let text = date.formatted(style)
        return text.hasSuffix("Z") ? text.dropLast() + "+00:00" : text
    }
}
