import Foundation
import Testing

@testable import JobModel

@Suite("FreshUUIDs")
struct FreshUUIDsTests {
    @Test("each is a random UUID in lower case, and none comes twice", arguments: [1, 2, 1000])
    func shape(expected: Int) throws {
        var fresh = FreshUUIDs(expecting: expected)
        let all = (0..<1000).map { _ in fresh.next() }
        #expect(Set(all).count == all.count)
        for text in all {
            let uuid = try #require(UUID(uuidString: text))
            #expect(uuid.uuidString.lowercased() == text)
            #expect(uuid.uuid.6 >> 4 == 4)
            #expect(uuid.uuid.8 >> 6 == 0b10)
        }
    }

    @Test("every other bit is now 0 and now 1")
    func random() throws {
        var fresh = FreshUUIDs(expecting: 1000)
        var ones = [Int](repeating: 0, count: 32)
        for _ in 0..<1000 {
            for (place, digit) in fresh.next().filter({ $0 != "-" }).enumerated() {
                ones[place] |= 1 << (digit.hexDigitValue ?? 0)
            }
        }
        for (place, seen) in ones.enumerated() {
            #expect(seen.nonzeroBitCount == (place == 12 ? 1 : place == 16 ? 4 : 16))
        }
    }
}
