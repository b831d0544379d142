/// Which part of a list is asked for: pages count from 1 and hold 1…100 items.
package struct PageRequest: Sendable, Equatable {
    /// The most items one page may hold.
    package static let maximumPerPage = 100

    package let page: Int
    package let perPage: Int

    /// Checks the bounds.
    ///
    /// - Throws: `InvalidPage` when the page is below 1 or its size outside 1…100.
    package init(page: Int = 1, perPage: Int = 25) throws(InvalidPage) {
        guard page >= 1 else { throw InvalidPage(problem: "page must be at least 1") }
        guard (1...Self.maximumPerPage).contains(perPage) else {
            throw InvalidPage(problem: "per_page must be in 1…\(Self.maximumPerPage)")
        }
        guard !(page - 1).multipliedReportingOverflow(by: perPage).overflow else {
            throw InvalidPage(problem: "page is too large")
        }
        self.page = page
        self.perPage = perPage
    }

    /// How many items come before this page.
    package var offset: Int { (page - 1) * perPage }
}

/// One page of a list, with what a caller needs to ask for the others.
package struct Page<Item: Sendable>: Sendable {
    package let items: [Item]
    /// How many items there are on all pages together.
    package let total: Int
    package let page: Int
    package let perPage: Int

    package init(items: [Item], total: Int, of request: PageRequest) {
        self.items = items
        self.total = total
        page = request.page
        perPage = request.perPage
    }

    /// How many pages there are; 0 for an empty list.
    package var pages: Int { total > 0 ? (total - 1) / perPage + 1 : 0 }
}

extension Page: Equatable where Item: Equatable {}

extension Page: Encodable where Item: Encodable {
    private enum CodingKeys: String, CodingKey {
        case items
        case total
        case page
        case perPage = "per_page"
        case pages
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(items, forKey: .items)
        try container.encode(total, forKey: .total)
        try container.encode(page, forKey: .page)
        try container.encode(perPage, forKey: .perPage)
        try container.encode(pages, forKey: .pages)
    }
}

/// A page that cannot be asked for, and why.
package struct InvalidPage: Error, Equatable, CustomStringConvertible {
    package let problem: String

    package var description: String { problem }
}
