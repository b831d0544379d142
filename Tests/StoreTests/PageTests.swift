import Foundation
import Store
import Testing

@Suite("Pages of a list")
struct PageTests {
    @Test("a page holds 1 to 100 items and pages count from 1")
    func bounds() throws {
        #expect(try PageRequest(page: 1, perPage: 100).offset == 0)
        #expect(try PageRequest(page: 3, perPage: 25).offset == 50)
        #expect(throws: InvalidPage.self) { try PageRequest(page: 0) }
        #expect(throws: InvalidPage.self) { try PageRequest(perPage: 0) }
        #expect(throws: InvalidPage.self) { try PageRequest(perPage: 101) }
        #expect(throws: InvalidPage.self) { try PageRequest(page: .max, perPage: 100) }
    }

    @Test(
        "the number of pages is rounded up",
        arguments: [(0, 0), (1, 1), (25, 1), (26, 2), (50, 2), (51, 3)])
    func pages(total: Int, pages: Int) throws {
        let page = Page<Int>(items: [], total: total, of: try PageRequest(perPage: 25))
        #expect(page.pages == pages)
    }

    @Test("a page is written with the keys of the guide")
    func keys() throws {
        let page = Page(items: [1], total: 3, of: try PageRequest(page: 2, perPage: 1))
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(
            String(decoding: try encoder.encode(page), as: UTF8.self)
                == #"{"items":[1],"page":2,"pages":3,"per_page":1,"total":3}"#)
    }
}
