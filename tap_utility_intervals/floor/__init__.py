"""The floor: plain Python that knows neither Singer nor HTTP nor any provider."""
