import Foundation

/// The `Retry-After` header: seconds, or an HTTP date.
///
/// Source: RFC 9110, 10.2.3 and 5.6.7 (the preferred form of the date; the two obsolete ones are
/// not read).
enum RetryAfter {
    /// Nobody is waited for longer.
    static let longest: Duration = .seconds(24 * 3600)
    /// A wait of nothing would hammer an endpoint that asked for rest.
    static let shortest: Duration = .seconds(1)

    /// The wait that the header asks for, within the two limits; `nil` when it cannot be read.
    static func delay(_ text: String, now: Date) -> Duration? {
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            // More digits than an integer holds are more than a day.
            guard let seconds = Int64(text) else { return longest }
            return seconds > longest.components.seconds
                ? longest : max(.seconds(seconds), shortest)
        }
        guard let date = date(text) else { return nil }
        let wait = Duration.seconds(date.timeIntervalSince(now))
        return min(max(wait, shortest), longest)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`.
    private static func date(_ text: String) -> Date? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", words[0].hasSuffix(","),
            let day = number(words[1], 2), let month = months.firstIndex(of: String(words[2])),
            let year = number(words[3], 4)
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { number($0, 2) }
        guard clock.count == 3 else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let components = DateComponents(
            year: year, month: month + 1, day: day, hour: clock[0], minute: clock[1],
            second: clock[2])
        return calendar.date(from: components)
    }

    private static func number(_ text: Substring, _ digits: Int) -> Int? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }
}
