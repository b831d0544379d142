import Foundation
package import Store

/// The stored schedule as it is copied to Redis, for a scheduler that starts without PostgreSQL.
package struct KnownSchedule: Sendable, Codable {
    package let entries: [ScheduleRecord]

    package init(_ entries: [ScheduleRecord]) { self.entries = entries }

    /// Reads a copy; nil for what is none, such as another program's.
    package init?(json: [UInt8]) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let known = try? decoder.decode(KnownSchedule.self, from: Data(json)) else {
            return nil
        }
        self = known
    }

    package var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else {
            preconditionFailure("text, numbers and dates always have a JSON form")
        }
        return Array(data)
    }
}
