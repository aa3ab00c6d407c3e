"""The tests: unit, contract, property, integration, api, migration, parity, browser and acceptance."""
